//! Ready-made tokens, as if the user had consented, and their sudden death.

use crate::world::World;

impl World {
    /// Kills every access token; refresh tokens stay.
    pub fn expire_access_tokens(&self) {
        self.lock().tokens.access.clear();
    }

    /// Kills every refresh token; access tokens live until they expire.
    pub fn revoke_refresh_tokens(&self) {
        self.lock().tokens.refresh.clear();
    }

    /// A living access token, as if the user had consented. Scopes may be short (`photoslibrary.appendonly`).
    pub fn access_token(&self, client_id: &str, scopes: &[&str]) -> String {
        let now = self.now();
        let mut state = self.lock();
        let account = state.settings.account();
        state.new_access(client_id, &account, &full(scopes), now).0
    }

    /// A living refresh token, as if the user had consented.
    pub fn refresh_token(&self, client_id: &str, scopes: &[&str]) -> String {
        let now = self.now();
        let mut state = self.lock();
        let account = state.settings.account();
        state.new_refresh(client_id, &account, &full(scopes), now)
    }

    /// rclone's token JSON with a living access token and a living refresh token, as if the user had consented.
    pub fn token_blob(&self, client_id: &str, scopes: &[&str]) -> String {
        let email = self.settings().account_email;
        self.token_blob_of(&email, client_id, scopes)
    }

    /// The same for another account than the one in the settings, known by its address.
    pub fn token_blob_of(&self, account_email: &str, client_id: &str, scopes: &[&str]) -> String {
        let now = self.now();
        let mut state = self.lock();
        let scopes = full(scopes);
        let account = state.settings.account_of(account_email);
        let (access_token, expires_at) = state.new_access(client_id, &account, &scopes, now);
        let refresh_token = state.new_refresh(client_id, &account, &scopes, now);
        serde_json::json!({
            "access_token": access_token,
            "token_type": "Bearer",
            "refresh_token": refresh_token,
            "expiry": expires_at.to_string(),
        })
        .to_string()
    }
}

/// The scopes that an uploader and reader asks for: append, read and edit what the app created.
pub const SCOPES: [&str; 3] = [
    "https://www.googleapis.com/auth/photoslibrary.appendonly",
    "https://www.googleapis.com/auth/photoslibrary.readonly.appcreateddata",
    "https://www.googleapis.com/auth/photoslibrary.edit.appcreateddata",
];

/// Scopes in full; none at all are the three of [`SCOPES`].
pub(crate) fn full(scopes: &[&str]) -> Vec<String> {
    if scopes.is_empty() {
        return SCOPES.map(str::to_owned).to_vec();
    }
    let prefix = "https://www.googleapis.com/auth/";
    let whole = |scope: &&str| {
        if scope.contains("photos") && !scope.starts_with("https://") {
            format!("{prefix}{scope}")
        } else {
            (*scope).to_owned()
        }
    };
    scopes.iter().map(whole).collect()
}
