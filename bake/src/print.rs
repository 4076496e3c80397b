//! What shall be built as JSON, in the shape that buildx prints: it can be read as a bake file again.

use serde_json::{Map, Value as Json};

use crate::entry::{Attest, Policy, Secret, Ssh};
use crate::resolve::Plan;
use crate::target::{Group, Target};

impl Plan {
    /// As JSON. What stands for nothing is left out.
    pub fn to_json(&self) -> Json {
        let mut root = Map::new();
        if !self.groups.is_empty() {
            let groups = self.groups.iter().map(|(name, group)| (name.clone(), group.to_json()));
            root.insert("group".to_owned(), Json::Object(groups.collect()));
        }
        let targets = self.targets.iter().map(|(name, target)| (name.clone(), target.to_json()));
        root.insert("target".to_owned(), Json::Object(targets.collect()));
        Json::Object(root)
    }
}

impl Group {
    /// As JSON.
    pub fn to_json(&self) -> Json {
        let mut fields = Fields::default();
        fields.text("description", self.description.as_deref());
        fields.0.insert("targets".to_owned(), self.targets.as_slice().into());
        Json::Object(fields.0)
    }
}

impl Target {
    /// As JSON.
    pub fn to_json(&self) -> Json {
        let mut fields = Fields::default();
        fields.text("description", self.description.as_deref());
        fields.list("annotations", self.annotations.as_ref());
        fields.each("attest", self.attest.as_ref(), attest);
        fields.text("context", self.context.as_deref());
        fields.map("contexts", &self.contexts);
        fields.text("dockerfile", self.dockerfile.as_deref());
        fields.text("dockerfile-inline", self.dockerfile_inline.as_deref());
        fields.map("args", &self.args);
        fields.map("labels", &self.labels);
        fields.list("tags", self.tags.as_ref());
        fields.each("cache-from", self.cache_from.as_ref(), |cache| sorted(cache.all()));
        fields.each("cache-to", self.cache_to.as_ref(), |cache| sorted(cache.all()));
        fields.text("target", self.stage.as_deref());
        fields.each("secret", self.secrets.as_ref(), secret);
        fields.each("ssh", self.ssh.as_ref(), ssh);
        fields.list("platforms", self.platforms.as_ref());
        fields.each("output", self.outputs.as_ref(), |output| sorted(output.all()));
        fields.truth("pull", self.pull);
        fields.truth("no-cache", self.no_cache);
        fields.text("network", self.network.as_deref());
        fields.list("no-cache-filter", self.no_cache_filter.as_ref());
        fields.text("shm-size", self.shm_size.as_deref());
        fields.list("ulimits", self.ulimits.as_ref());
        fields.text("call", self.call.as_deref());
        fields.list("entitlements", self.entitlements.as_ref());
        fields.map("extra-hosts", &self.extra_hosts);
        fields.each("policy", self.policy.as_ref(), |policy: &Policy| {
            sorted(policy.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())))
        });
        fields.map("resources", &self.resources);
        Json::Object(fields.0)
    }
}

#[derive(Default)]
struct Fields(Map<String, Json>);

impl Fields {
    fn text(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.0.insert(name.to_owned(), escaped(text).into());
        }
    }

    fn truth(&mut self, name: &str, value: Option<bool>) {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value.into());
        }
    }

    fn list(&mut self, name: &str, list: Option<&Vec<String>>) {
        self.each(name, list, |text| escaped(text).into());
    }

    fn each<T>(&mut self, name: &str, entries: Option<&Vec<T>>, write: impl Fn(&T) -> Json) {
        if let Some(entries) = entries.filter(|entries| !entries.is_empty()) {
            self.0.insert(name.to_owned(), entries.iter().map(write).collect());
        }
    }

    fn map(&mut self, name: &str, map: &std::collections::BTreeMap<String, String>) {
        if !map.is_empty() {
            let fields = map.iter().map(|(name, value)| (escaped(name), escaped(value).into()));
            self.0.insert(name.to_owned(), Json::Object(fields.collect()));
        }
    }
}

/// Text that is read as itself again.
fn escaped(text: &str) -> String {
    text.replace("${", "$${").replace("%{", "%%{")
}

fn sorted<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Json {
    let sorted: std::collections::BTreeMap<&str, &str> = pairs.collect();
    Json::Object(sorted.into_iter().map(|(name, value)| (escaped(name), escaped(value).into())).collect())
}

fn attest(attest: &Attest) -> Json {
    let mut fields: std::collections::BTreeMap<&str, Json> =
        attest.attributes.iter().map(|(name, value)| (name.as_str(), escaped(value).into())).collect();
    fields.insert("type", attest.kind.as_str().into());
    if attest.disabled {
        fields.insert("disabled", true.into());
    }
    Json::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn secret(secret: &Secret) -> Json {
    Json::Object(secret.all().map(|(name, value)| (name.to_owned(), escaped(value).into())).collect())
}

fn ssh(ssh: &Ssh) -> Json {
    let mut fields = Fields::default();
    fields.text("id", Some(&ssh.id).filter(|id| !id.is_empty()).map(String::as_str));
    fields.list("paths", Some(&ssh.paths));
    Json::Object(fields.0)
}
