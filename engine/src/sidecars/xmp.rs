//! XMP for digiKam, Immich, Lightroom and their like (ISO 16684-1): when it was taken, what it shows, by which camera; albums as
//! keywords and as tags below `Albums`; a favourite has five stars, since XMP knows no other word for it.

use super::Told;

/// What says that Charon wrote a sidecar: other programs put their own name there when they write it anew.
const TOOLKIT: &str = "x:xmptk=\"Charon\"";

/// Whether this is a sidecar as Charon writes it.
pub(super) fn is_ours(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.contains(TOOLKIT))
}

/// The sidecar of an item.
pub(super) fn write(told: &Told) -> Vec<u8> {
    let mut text = String::from(
        "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n\
         <x:xmpmeta xmlns:x=\"adobe:ns:meta/\" x:xmptk=\"Charon\">\n \
         <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\n  \
         <rdf:Description rdf:about=\"\"\n    xmlns:dc=\"http://purl.org/dc/elements/1.1/\"\n    \
         xmlns:digiKam=\"http://www.digikam.org/ns/1.0/\"\n    xmlns:exif=\"http://ns.adobe.com/exif/1.0/\"\n    \
         xmlns:lr=\"http://ns.adobe.com/lightroom/1.0/\"\n    xmlns:photoshop=\"http://ns.adobe.com/photoshop/1.0/\"\n    \
         xmlns:tiff=\"http://ns.adobe.com/tiff/1.0/\"\n    xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\"",
    );
    let mut attribute =
        |name: &str, value: &str| text.push_str(&format!("\n   {name}=\"{}\"", escaped(value)));
    if let Some(taken_at) = told.taken_at {
        // Google gives moments, and not the zone that they were taken in.
        let moment = taken_at.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string();
        for name in ["exif:DateTimeOriginal", "photoshop:DateCreated", "xmp:CreateDate"] {
            attribute(name, &moment);
        }
    }
    if let Some(make) = &told.camera_make {
        attribute("tiff:Make", make);
    }
    if let Some(model) = &told.camera_model {
        attribute("tiff:Model", model);
    }
    if told.is_favourite {
        attribute("xmp:Rating", "5");
    }
    text.push_str(">\n");
    if let Some(description) = &told.description {
        text.push_str(&format!(
            "   <dc:description><rdf:Alt><rdf:li xml:lang=\"x-default\">{}</rdf:li></rdf:Alt></dc:description>\n",
            escaped(description)
        ));
    }
    if !told.albums.is_empty() {
        // What separates levels cannot be part of one.
        let tag = |separator: char| {
            move |title: &String| format!("Albums{separator}{}", title.replace(separator, "_"))
        };
        list(&mut text, ("dc:subject", "Bag"), told.albums.iter().cloned());
        list(&mut text, ("digiKam:TagsList", "Seq"), told.albums.iter().map(tag('/')));
        list(&mut text, ("lr:hierarchicalSubject", "Bag"), told.albums.iter().map(tag('|')));
    }
    text.push_str("  </rdf:Description>\n </rdf:RDF>\n</x:xmpmeta>\n<?xpacket end=\"w\"?>\n");
    text.into_bytes()
}

fn list(text: &mut String, (name, kind): (&str, &str), values: impl Iterator<Item = String>) {
    text.push_str(&format!("   <{name}><rdf:{kind}>"));
    for value in values {
        text.push_str(&format!("<rdf:li>{}</rdf:li>", escaped(&value)));
    }
    text.push_str(&format!("</rdf:{kind}></{name}>\n"));
}

/// Text as XML holds it. Control characters that XML does not know are left out.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\r' => escaped.push_str("&#13;"),
            '\t' => escaped.push_str("&#9;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use charon_provider::{Fidelity, RemoteId};
    use proptest::prelude::*;

    use super::write;
    use crate::{ids::Sha256, sidecars::Told};

    fn told() -> Told {
        Told {
            asset_id: 1,
            path: "photos/2024/07/a.jpg".into(),
            sha256: Sha256([7; 32]),
            size: 11,
            fidelity: Fidelity::ApiCopy,
            clip: None,
            remote: RemoteId("id".into()),
            name: "a.jpg".into(),
            mime_type: "image/jpeg".into(),
            taken_at: Some("2024-07-01T12:00:00Z".parse().expect("a time")),
            description: None,
            camera_make: None,
            camera_model: None,
            is_favourite: false,
            albums: Vec::new(),
            written: Vec::new(),
        }
    }

    /// The texts of all elements of a name.
    fn texts(xmp: &str, name: &str) -> Vec<String> {
        let document = roxmltree::Document::parse(xmp.trim_start_matches('\u{feff}')).expect("XML");
        let elements = document.descendants().filter(|node| node.tag_name().name() == name);
        elements
            .flat_map(|node| {
                node.descendants()
                    .filter(|node| node.tag_name().name() == "li")
                    .map(|node| node.text().unwrap_or_default().to_owned())
            })
            .collect()
    }

    #[test]
    fn it_says_what_other_programs_read() {
        let told = Told {
            description: Some("Grandma & \"Rex\"\n<3".into()),
            camera_make: Some("Canon".into()),
            camera_model: Some("EOS R5".into()),
            is_favourite: true,
            albums: vec!["Summer / Lake".into(), "A|B".into()],
            ..told()
        };
        let xmp = String::from_utf8(write(&told)).expect("text");
        assert_eq!(texts(&xmp, "description"), ["Grandma & \"Rex\"\n<3"]);
        assert_eq!(texts(&xmp, "subject"), ["Summer / Lake", "A|B"]);
        assert_eq!(texts(&xmp, "TagsList"), ["Albums/Summer _ Lake", "Albums/A|B"]);
        assert_eq!(texts(&xmp, "hierarchicalSubject"), ["Albums|Summer / Lake", "Albums|A_B"]);
        for attribute in [
            "exif:DateTimeOriginal=\"2024-07-01T12:00:00+00:00\"",
            "xmp:Rating=\"5\"",
            "tiff:Make=\"Canon\"",
            "tiff:Model=\"EOS R5\"",
        ] {
            assert!(xmp.contains(attribute), "{attribute} is not in {xmp}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_description_holds_it_is_xml_and_comes_back(text in "\\PC{0,60}") {
            let xmp = String::from_utf8(write(&Told { description: Some(text.clone()), ..told() })).expect("text");
            prop_assert_eq!(texts(&xmp, "description"), [text]);
        }
    }
}
