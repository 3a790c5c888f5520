//! [`Json`] written out by serde: the value as it came.
//!
//! Recurses once per level of nesting, of which a tape has at most [`DEPTH_MAX`](super::DEPTH_MAX).

use super::json::Json;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use simd_json::{Node, StaticNode};

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.node() {
            Node::Static(StaticNode::Null) => serializer.serialize_unit(),
            Node::Static(StaticNode::Bool(value)) => serializer.serialize_bool(value),
            Node::Static(StaticNode::U64(value)) => serializer.serialize_u64(value),
            Node::Static(StaticNode::I64(value)) => serializer.serialize_i64(value),
            Node::Static(StaticNode::F64(value)) => serializer.serialize_f64(value),
            Node::String(text) => serializer.serialize_str(text),
            Node::Array { len, .. } => {
                let mut list = serializer.serialize_seq(Some(len))?;
                for value in self.iter() {
                    list.serialize_element(&value)?;
                }
                list.end()
            }
            Node::Object { len, .. } => {
                let mut map = serializer.serialize_map(Some(len))?;
                for (key, value) in self.entries() {
                    map.serialize_entry(key, &value)?;
                }
                map.end()
            }
        }
    }
}
