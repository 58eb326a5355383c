//! How large a thumbnail may be.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error as _};

/// The most pixels of a thumbnail's longer side. There are few, so that each is made for all who ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Size(u16);

/// All sizes.
const SIZES: [u16; 4] = [160, 320, 640, 1280];

impl Size {
    /// What a grid shows.
    pub(crate) const GRID: Self = Self(320);
    /// What a page shows large.
    #[cfg(test)]
    pub(crate) const LARGE: Self = Self(1280);

    /// So many pixels.
    pub(crate) fn of(pixels: u16) -> Self {
        Self(pixels)
    }

    /// The most pixels of the longer side.
    pub(crate) fn pixels(self) -> u16 {
        self.0
    }

    /// A picture of these dimensions as large as it may be, its shape kept; never larger than it is.
    pub(crate) fn fit(self, width: u32, height: u32) -> (u32, u32) {
        let longer = width.max(height).max(1);
        let most = u32::from(self.0);
        if longer <= most {
            return (width.max(1), height.max(1));
        }
        // Rounded; the product fits, since pictures are limited.
        let scaled = |side: u32| {
            let side = (u64::from(side) * u64::from(most) + u64::from(longer) / 2) / u64::from(longer);
            u32::try_from(side).unwrap_or(most).max(1)
        };
        (scaled(width), scaled(height))
    }
}

impl Default for Size {
    fn default() -> Self {
        Self::GRID
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pixels = u16::deserialize(deserializer)?;
        if SIZES.contains(&pixels) {
            Ok(Self(pixels))
        } else {
            Err(D::Error::custom("size is to be 160, 320, 640 or 1280"))
        }
    }
}

impl JsonSchema for Size {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ThumbnailSize".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "enum": SIZES, "description": "The most pixels of its longer side." })
    }
}

#[cfg(test)]
mod tests {
    use super::Size;

    #[test]
    fn a_shape_is_kept_and_nothing_is_enlarged() {
        for (width, height, fit) in [
            (4000, 3000, (320, 240)),
            (3000, 4000, (240, 320)),
            (320, 240, (320, 240)),
            (10, 7, (10, 7)),
            (65_535, 1, (320, 1)),
            (1, 1, (1, 1)),
        ] {
            assert_eq!(Size::GRID.fit(width, height), fit);
        }
    }

    #[test]
    fn there_are_four_sizes() {
        for text in ["160", "320", "640", "1280"] {
            assert_eq!(serde_json::from_str::<Size>(text).expect("a size").pixels().to_string(), text);
        }
        for text in ["0", "319", "-320", "99999"] {
            assert!(serde_json::from_str::<Size>(text).is_err(), "{text}");
        }
    }
}
