use serde_json::{Value, json};

use super::{Template, TemplateError};

fn image() -> Value {
    json!({
        "Id": "sha256:abc",
        "RepoTags": ["app:latest", "app:1"],
        "size": 1_048_576,
        "Config": {"Env": ["A=1", "B=2"], "User": "", "Labels": {"b": "2", "a": "1"}, "Cmd": null},
    })
}

fn render(template: &str) -> Result<String, TemplateError> {
    Template::parse(template)?.render(&image())
}

fn rendered(template: &str) -> String {
    render(template).unwrap_or_else(|error| panic!("{template}: {error}"))
}

#[test]
fn templates_that_people_paste_give_what_docker_gives() {
    for (template, expected) in [
        ("plain", "plain"),
        ("{{.Id}}", "sha256:abc"),
        ("{{ .ID }}", "sha256:abc"),
        ("{{.Size}}", "1048576"),
        ("{{json .Config.Env}}", r#"["A=1","B=2"]"#),
        ("{{.Config.Env | json}}", r#"["A=1","B=2"]"#),
        ("{{json .Config.Cmd}}", "null"),
        ("{{.Config.Env}}", "[A=1 B=2]"),
        ("{{.Config.Labels}}", "map[a:1 b:2]"),
        ("{{.Config.Cmd}}", "<no value>"),
        ("{{range .Config.Env}}{{println .}}{{end}}", "A=1\nB=2\n"),
        ("{{range $i, $e := .RepoTags}}{{if $i}}, {{end}}{{$e}}{{end}}", "app:latest, app:1"),
        ("{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}", "a=1;b=2;"),
        ("{{range .Config.Cmd}}x{{else}}none{{end}}", "none"),
        ("{{range .RepoTags}}{{$.Id}} {{end}}", "sha256:abc sha256:abc "),
        ("{{if .Config.User}}{{.Config.User}}{{else}}root{{end}}", "root"),
        ("{{if .Absent}}a{{else if .Id}}b{{else}}c{{end}}", "b"),
        ("{{if .Config.Healthcheck.Test}}yes{{else}}no{{end}}", "no"),
        ("{{with .Config}}{{.Env | len}}{{end}}", "2"),
        ("{{with .Absent}}x{{else}}{{.Id}}{{end}}", "sha256:abc"),
        ("{{$n := len .RepoTags}}{{$n}}", "2"),
        ("{{index .RepoTags 0}}", "app:latest"),
        (r#"{{index .Config.Labels "a"}}|{{index .Config.Labels "z"}}"#, "1|"),
        (r#"{{join .RepoTags ", "}}"#, "app:latest, app:1"),
        (r#"{{(index (split (index .RepoTags 0) ":") 1) | upper}}"#, "LATEST"),
        (
            r#"{{printf "%-8s|%5d|%05d|%.2f|%q|%x|%%" .Id 42 7 1.5 "a" 255}}"#,
            "sha256:abc|   42|00007|1.50|\"a\"|ff|%",
        ),
        (r#"{{printf "%.6s" .Id}}{{print 1 2}}"#, "sha25612"),
        ("{{lower `ABC`}}{{title `one two`}}{{truncate .Id 3}}{{pad `x` 1 2}}|", "abcOne Twosha x  |"),
        (
            "{{and 1 0}}{{or 0 3}}{{not true}}{{eq 1 2 1}}{{ne .Id `x`}}{{lt 1 2}}{{ge 1 2}}",
            "03falsetruetruetruefalse",
        ),
        ("a {{- /* a comment */ -}} b", "ab"),
        ("a  {{- .Size -}}  b", "a1048576b"),
        (r"a\tb\n{{.Id}}", "a\tb\nsha256:abc"),
        ("{{-1}}", "-1"),
    ] {
        assert_eq!(rendered(template), expected, "{template}");
    }
}

#[test]
fn what_is_wrong_with_a_template_is_said_and_where_possible_mended() {
    for (template, expected) in [
        ("{{.Id", "`{{` at character 1 has no `}}`"),
        ("ab{{range .X", "`{{` at character 3 has no `}}`"),
        ("{{", "`{{` at character 1 has no `}}`"),
        ("{{}}", "expected a value or a function in an action"),
        ("{{end}}", "expected `if`, `range` or `with` before `end`"),
        ("{{if .Id}}", "expected `end` to close `if`"),
        ("{{range .RepoTags}}{{else}}", "expected `end` to close `range`"),
        ("{{range $a .RepoTags}}{{end}}", "a value takes no arguments"),
        ("{{range $a, $b, $c := .RepoTags}}{{end}}", "expected `:=` behind the variables of `range`"),
        ("{{.Id \"x}}", "a text in an action has no closing quote"),
        ("{{.Id ; .Id}}", "`;` cannot stand in an action"),
        ("{{.Id .Size}}", "a value takes no arguments"),
        ("{{.Id | .Size}}", "a value takes no arguments"),
        ("{{jsno .}}", "no template function `jsno`"),
        ("{{$x}}", "no variable `$x` here"),
        ("{{.RepoTag}}", "no field `.RepoTag` here"),
        ("{{.Id.Name}}", "no field `.Name` here"),
        ("{{range .Size}}{{end}}", "cannot range over a number"),
        ("{{index .RepoTags 9}}", "`index` 9 is outside of a list of 2"),
        ("{{index .RepoTags -1}}", "`index` -1 is outside of a list of 2"),
        ("{{join .Id \",\"}}", "`join` cannot join a text"),
        ("{{printf \"%s\"}}", "`printf` has no value for `%s`"),
        ("{{printf \"%d\" .Id}}", "`printf` cannot write a text with `%d`"),
        ("{{printf \"%z\" .Id}}", "`printf` does not know `%z`"),
        ("{{printf \"%5\" .Id}}", "`printf` ends within a `%` verb"),
        ("{{lt .Id 1}}", "`lt` cannot order a text and a number"),
        ("{{upper}}", "`upper` takes one value and got 0"),
        ("{{(.Id}}", "expected `)` behind a pipeline in parentheses"),
        ("{{12ab}}", "expected a number at `12ab`"),
    ] {
        match render(template) {
            Ok(text) => panic!("{template} gave {text}"),
            Err(error) => assert_eq!(error.to_string(), expected, "{template}"),
        }
    }
    assert_eq!(render("{{jsno .}}").unwrap_err().hint().unwrap(), "did you mean `json`?");
    assert_eq!(render("{{.RepoTag}}").unwrap_err().hint().unwrap(), "did you mean `.RepoTags`?");
    assert_eq!(render("{{.Digest}}").unwrap_err().hint().unwrap(), "there are: Id, RepoTags, size, Config");
}

#[test]
fn a_hostile_template_ends_in_an_error_or_a_small_text() {
    let deep = format!("{}.Id{}", "{{if ".repeat(500), "}}");
    assert!(render(&deep).is_err());
    let nested = "{{if .Id}}".repeat(500) + &"{{end}}".repeat(500);
    assert_eq!(render(&nested).unwrap_err(), TemplateError::TooDeep);
    let parentheses = format!("{{{{{}.Id{}}}}}", "(".repeat(500), ")".repeat(500));
    assert_eq!(render(&parentheses).unwrap_err(), TemplateError::TooDeep);
    assert_eq!(rendered("{{printf \"%999999999s\" .Id}}").len(), 4096);
}
