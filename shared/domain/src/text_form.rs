//! How serde reads and writes the domain's plain values: each as the one text it has in the API and the table, checked
//! when it is read. A composed value has no such form here: whoever stores or sends it owns its layout.

/// Gives a type its text form: `write` yields the text, `read` parses the text into a `Result`.
macro_rules! text_form {
    ([$($generics:tt)*] $name:ty, $this:ident => $write:expr, $text:ident => $read:expr) => {
        impl<$($generics)*> serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let $this = self;
                serializer.serialize_str(AsRef::<str>::as_ref(&$write))
            }
        }

        impl<'de, $($generics)*> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let $text = <String as serde::Deserialize>::deserialize(deserializer)?;
                $read.map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use text_form;
