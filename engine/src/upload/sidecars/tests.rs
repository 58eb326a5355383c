use std::{fs, path::Path};

use super::{MOST_BYTES, description_of, tidy};

/// The description of `photo` beside one sidecar.
fn description(photo: &str, sidecar: &str, content: &str) -> Option<String> {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join(sidecar), content).expect("a sidecar");
    description_of(&folder.path().join(photo), 999)
}

fn xmp(description: &str) -> String {
    format!(
        r#"<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">{description}</rdf:Description>
</rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"#
    )
}

#[test]
fn takeouts_sidecars_are_found_however_their_names_were_cut() {
    let json = r#"{"title": "IMG.jpg", "description": "At the lake", "geoData": {"latitude": 0.0}}"#;
    for sidecar in [
        "IMG.jpg.json",
        "IMG.jpg.supplemental-metadata.json",
        "IMG.jpg.supplemental-metadat.json",
        "IMG.jpg.supple.json",
        "IMG.jpg.s.json",
        "IMG.jpg..json",
    ] {
        assert_eq!(description("IMG.jpg", sidecar, json).as_deref(), Some("At the lake"), "{sidecar}");
    }
    for stranger in ["IMG.json", "IMG2.jpg.json", "IMG.jpg.supplemental-data.json", "IMG.jpg.txt"] {
        assert_eq!(description("IMG.jpg", stranger, json), None, "{stranger}");
    }
    // 46 UTF-16 units are left of the name.
    let long = "ü".repeat(44) + ".jpg";
    let cut = "ü".repeat(44) + ".j.json";
    assert_eq!(description(&long, &cut, json).as_deref(), Some("At the lake"));
}

#[test]
fn xmp_sidecars_give_the_default_language_or_else_the_first() {
    let alternatives =
        |items: &str| xmp(&format!("<dc:description><rdf:Alt>{items}</rdf:Alt></dc:description>"));
    let (german, default) =
        (r#"<rdf:li xml:lang="de">Am See</rdf:li>"#, r#"<rdf:li xml:lang="x-default">At the lake</rdf:li>"#);
    for (content, expected) in [
        (alternatives(&format!("{german}{default}")), Some("At the lake")),
        (alternatives(german), Some("Am See")),
        (alternatives(r#"<rdf:li xml:lang="x-default">Tom &amp; Ann &lt;3</rdf:li>"#), Some("Tom & Ann <3")),
        (xmp("<dc:description>Plain words</dc:description>"), Some("Plain words")),
        (xmp("<dc:title>No description</dc:title>"), None),
        (alternatives(""), None),
        (format!("\u{feff}{}", alternatives(german)), Some("Am See")),
    ] {
        for sidecar in ["IMG.jpg.xmp", "IMG.xmp", "IMG.XMP"] {
            assert_eq!(
                description("IMG.jpg", sidecar, &content).as_deref(),
                expected,
                "{sidecar}: {content}"
            );
        }
    }
}

#[test]
fn a_sidecar_that_is_broken_or_hostile_gives_no_description() {
    let bomb = format!(
        r#"<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>{}"#,
        xmp("<dc:description>&b;</dc:description>")
    );
    let deep = format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
    let huge = format!(r#"{{"description": "{}"}}"#, "x".repeat(usize::try_from(MOST_BYTES).expect("small")));
    for (sidecar, content) in [
        ("IMG.jpg.json", "{"),
        ("IMG.jpg.json", r#"["description"]"#),
        ("IMG.jpg.json", r#"{"description": 7}"#),
        ("IMG.jpg.json", r#"{"description": " \u0000\n "}"#),
        ("IMG.jpg.json", &"[".repeat(500_000)),
        ("IMG.jpg.json", &huge),
        ("IMG.xmp", "<x:xmpmeta"),
        ("IMG.xmp", &bomb),
        ("IMG.xmp", &deep),
    ] {
        assert_eq!(description("IMG.jpg", sidecar, content), None, "{content:.60}");
    }
}

#[test]
fn a_sidecar_without_words_does_not_hide_another() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("IMG.jpg.json"), r#"{"description": ""}"#).expect("a sidecar");
    fs::write(folder.path().join("IMG.xmp"), xmp("<dc:description>Words</dc:description>"))
        .expect("a sidecar");
    assert_eq!(description_of(&folder.path().join("IMG.jpg"), 999).as_deref(), Some("Words"));
}

#[test]
fn a_folder_or_a_link_of_that_name_is_no_sidecar() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("IMG.jpg.json")).expect("a folder");
    let secret = folder.path().join("secret");
    fs::write(&secret, r#"{"description": "a secret"}"#).expect("a file");
    #[cfg(unix)]
    std::os::unix::fs::symlink(&secret, folder.path().join("IMG.jpg.s.json")).expect("a link");
    assert_eq!(description_of(&folder.path().join("IMG.jpg"), 999), None);
    assert_eq!(description_of(Path::new("/nowhere/IMG.jpg"), 999), None);
}

#[test]
fn a_storage_that_takes_no_descriptions_is_given_none() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("IMG.jpg.json"), r#"{"description": "words"}"#).expect("a sidecar");
    assert_eq!(description_of(&folder.path().join("IMG.jpg"), 0), None);
}

#[test]
fn words_are_cut_and_tidied_to_what_can_be_sent() {
    for (text, most, expected) in [
        ("  two\tlines\r\nhere \u{7}\u{0}", 99, Some("two lines\nhere")),
        ("abcdef", 3, Some("abc")),
        ("ab 📷", 4, Some("ab")),
        ("ab 📷", 5, Some("ab 📷")),
        (" \n\t ", 99, None),
        ("\u{1}", 99, None),
    ] {
        assert_eq!(tidy(text, most).as_deref(), expected, "{text:?}");
    }
}
