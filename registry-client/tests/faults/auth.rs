//! Who asks: tokens that are refused, expire, are for too little, or are to come from the wrong place.

use crate::support::{client, limits, repository, run};
use crate::{client_with, config, layer, tag, user};
use tug_registry_client::{Client, Error, FetchedManifest, Kind};
use tug_testdata::registry_peer::{Access, Answer, Bearer, Behaviour, Image, Peer, Rule, base64, noise};

const SECRET: &str = "correct horse";

fn accounts() -> Vec<(String, String)> {
    vec![("me".to_owned(), SECRET.to_owned())]
}

/// A registry with `app:latest`, whose tokens are given in this way.
fn peer(bearer: Bearer) -> (Peer, Image) {
    let peer = Peer::start(Behaviour { access: Access::Bearer(bearer), ..Behaviour::default() });
    let image = peer.add_image("app", "latest", &[noise(1000, 1), noise(1000, 2)]);
    (peer, image)
}

fn private() -> Bearer {
    Bearer { accounts: accounts(), allows_anonymous_pull: false, ..Bearer::default() }
}

fn me() -> Client {
    client_with(limits(), |options| options.credentials = user("me", SECRET)).0
}

fn fetch(client: &Client, peer: &Peer) -> Result<FetchedManifest, Error> {
    run(client.manifest(&repository(peer.address(), "app"), &tag("latest")))
}

#[test]
fn a_token_is_fetched_once_with_the_scope_and_the_service() {
    for field in ["token", "access_token"] {
        let (peer, image) = peer(Bearer { field, ..private() });
        let client = me();
        let app = repository(peer.address(), "app");
        run(async {
            client.manifest(&app, &tag("latest")).await.unwrap();
            for (digest, bytes) in &image.layers {
                client.small_blob(&app, &layer(digest, bytes.len()), 1 << 20).await.unwrap();
            }
        });
        let asked = peer.asked("GET", "/token");
        assert_eq!(asked.len(), 1);
        assert_eq!(asked[0].request.parameter("service").as_deref(), Some("peer"));
        assert_eq!(asked[0].request.parameter("scope").as_deref(), Some("repository:app:pull"));
        let basic = format!("Basic {}", base64(format!("me:{SECRET}").as_bytes()));
        assert_eq!(asked[0].request.header("authorization"), Some(basic.as_str()));
        let direct = peer.asked("*", "/v2/").into_iter().filter(|exchange| {
            exchange.request.header("authorization").is_some_and(|value| value.starts_with("Basic"))
        });
        assert_eq!(direct.count(), 0, "the password goes to the service of tokens only");
    }
}

#[test]
fn an_anonymous_token_is_enough_where_everybody_may_pull() {
    let (peer, _) = peer(Bearer::default());
    fetch(&client(limits()).0, &peer).unwrap();
    assert_eq!(peer.asked("GET", "/token")[0].request.header("authorization"), None);
}

#[test]
fn an_identity_token_is_exchanged_by_post() {
    let (peer, _) = peer(Bearer { identity_tokens: vec!["identity".to_owned()], ..private() });
    let text = format!(r#"{{"auths":{{"{}":{{"auth":"","identitytoken":"identity"}}}}}}"#, peer.address());
    let (client, _) = client_with(limits(), |options| options.credentials = config(&text));
    fetch(&client, &peer).unwrap();
    let asked = peer.asked("POST", "/token");
    let form = String::from_utf8(asked[0].body.clone()).unwrap();
    assert_eq!((asked.len(), peer.asked("GET", "/token").len()), (1, 0));
    for part in [
        "grant_type=refresh_token",
        "refresh_token=identity",
        "service=peer",
        "scope=repository%3Aapp%3Apull",
    ] {
        assert!(form.split('&').any(|pair| pair == part), "{form}");
    }
}

#[test]
fn a_service_that_does_not_know_post_is_asked_by_get() {
    let bearer = Bearer {
        accounts: vec![("<token>".to_owned(), "identity".to_owned())],
        methods: vec!["GET"],
        ..private()
    };
    let (peer, _) = peer(bearer);
    let auth = base64(b"<token>:identity");
    let text = format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, peer.address());
    let (client, _) = client_with(limits(), |options| options.credentials = config(&text));
    fetch(&client, &peer).unwrap();
    assert_eq!((peer.asked("POST", "/token").len(), peer.asked("GET", "/token").len()), (1, 1));
}

#[test]
fn a_registry_token_is_sent_as_it_is() {
    let (peer, _) = peer(Bearer { registry_tokens: vec!["ready-made".to_owned()], ..private() });
    let text = format!(r#"{{"auths":{{"{}":{{"registrytoken":"ready-made"}}}}}}"#, peer.address());
    let (client, _) = client_with(limits(), |options| options.credentials = config(&text));
    fetch(&client, &peer).unwrap();
    assert_eq!(peer.asked("*", "/token").len(), 0);
}

#[test]
fn a_token_that_has_expired_between_two_blobs_is_renewed_once_for_each() {
    let (peer, image) = peer(Bearer { uses: Some(1), ..private() });
    let client = me();
    let app = repository(peer.address(), "app");
    run(async {
        client.manifest(&app, &tag("latest")).await.unwrap();
        for (digest, bytes) in &image.layers {
            client.small_blob(&app, &layer(digest, bytes.len()), 1 << 20).await.unwrap();
        }
    });
    assert_eq!(peer.asked("GET", "/token").len(), 3);
    let refused = peer.asked("GET", "/v2/app/").iter().filter(|one| one.status == Some(401)).count();
    assert_eq!(refused, 3, "{:#?}", peer.lines());
}

#[test]
fn a_registry_that_refuses_every_token_is_asked_twice_and_no_more() {
    let (peer, _) = peer(Bearer { refuses_all: true, ..private() });
    let error = fetch(&me(), &peer).unwrap_err();
    assert_eq!((error.kind(), error.status()), (Kind::Unauthorized, Some(401)));
    assert!(error.hint().unwrap().starts_with("asked as `me` (`--creds`)"), "{error:?}");
    assert!(!format!("{error:?}").contains(SECRET));
    let asked = peer.asked("GET", "/manifests/").len();
    assert!(asked <= 3 && peer.asked("*", "/token").len() <= 2, "{:#?}", peer.lines());
}

#[test]
fn of_several_challenges_the_one_with_tokens_counts_however_it_is_written() {
    let cases: [&[&str]; 4] = [
        &[
            "Negotiate",
            "Basic realm=\"x\"",
            "Bearer realm=\"{realm}\",service=\"{service}\",scope=\"{scope}\"",
        ],
        &["Negotiate, Basic realm=\"a, b\", Bearer realm=\"{realm}\", service={service}, scope=\"{scope}\""],
        &["bearer   REALM=\"{realm}\" , Service=\"{service}\",scope=\"{scope}\",unknown=\"a\\\"b, c\""],
        &["Bearer scope=\"{scope}\",service=\"{service}\",realm=\"{realm}\", Basic realm=\"x\""],
    ];
    for challenges in cases {
        let challenges = challenges.iter().map(|text| (*text).to_owned()).collect();
        let (peer, _) = peer(Bearer { challenges: Some(challenges), ..private() });
        fetch(&me(), &peer).unwrap_or_else(|error| panic!("{error:?}\n{:#?}", peer.lines()));
    }
}

#[test]
fn tokens_come_from_no_address_of_the_link_and_over_no_other_protocol() {
    for (realm, words) in [
        ("http://169.254.169.254/latest/meta-data", "is an address of this link"),
        ("file:///etc/passwd", "is neither https nor http"),
        ("not an address", "it cannot be read"),
    ] {
        let (peer, _) = peer(Bearer { realm: Some(realm.to_owned()), ..private() });
        let error = fetch(&me(), &peer).unwrap_err();
        assert_eq!(error.kind(), Kind::Protocol);
        let message = error.to_string();
        assert!(message.contains("tokens are to come from an address that is not asked"), "{message}");
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn a_service_of_tokens_that_leads_to_an_address_of_the_link_is_not_followed() {
    let (peer, _) = peer(private());
    peer.add(Rule::on("GET", "/token").answer(Answer::redirect("http://169.254.169.254/latest/")));
    let error = fetch(&me(), &peer).unwrap_err();
    assert_eq!(error.kind(), Kind::Protocol);
    assert!(error.to_string().contains("redirected to an address that is not followed"), "{error}");
}

#[test]
fn a_service_of_tokens_elsewhere_gets_the_password_and_those_it_leads_to_do_not() {
    let elsewhere = Peer::start(Behaviour::default());
    elsewhere.add(Rule::on("GET", "/token").answer(Answer::body(r#"{"token":"from elsewhere"}"#)));
    let (peer, _) = peer(private());
    peer.add(Rule::on("GET", "/token").answer(Answer::redirect(&elsewhere.url("/token"))));
    // What it gives is worth nothing here; the question is what it was shown.
    fetch(&me(), &peer).unwrap_err();
    let shown = elsewhere.asked("GET", "/token");
    assert!(!shown.is_empty());
    assert!(shown.iter().all(|one| one.request.header("authorization").is_none()), "{shown:#?}");
}

#[test]
fn a_scope_that_is_missing_is_asked_for_again() {
    let (peer, _) = peer(private());
    let challenge = format!(
        "Bearer realm=\"{}\",service=\"peer\",error=\"insufficient_scope\",scope=\"repository:app:metadata_read\"",
        peer.url("/token")
    );
    let refusal = Answer::status(401).header("WWW-Authenticate", &challenge);
    peer.add(Rule::on("GET", "/tags/list").with("authorization", "Bearer token-1").answer(refusal));
    let tags = run(me().tags(&repository(peer.address(), "app"), None)).unwrap();
    assert_eq!(tags, ["latest"]);
    let scopes: Vec<_> = peer.asked("GET", "/token").iter().map(|one| one.request.parameters()).collect();
    let wanted: Vec<_> =
        scopes[1].iter().filter(|(name, _)| name == "scope").map(|(_, value)| value).collect();
    assert_eq!(wanted, ["repository:app:pull", "repository:app:metadata_read"], "the own scope comes first");
}

#[test]
fn a_registry_whose_door_is_open_may_have_rooms_that_are_not() {
    let (peer, _) = peer(Bearer { has_open_base: true, ..private() });
    assert!(!run(me().ping(peer.address())).unwrap());
    fetch(&me(), &peer).unwrap();
    let error = fetch(&client(limits()).0, &peer).unwrap_err();
    assert_eq!(error.kind(), Kind::Unauthorized);
    assert!(error.hint().unwrap().contains("asked without credentials"), "{error:?}");
}

#[test]
fn a_wrong_password_is_tried_once() {
    let (peer, _) = peer(private());
    let (client, _) = client_with(limits(), |options| options.credentials = user("me", "hunter2"));
    let error = fetch(&client, &peer).unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Unauthorized, Some("UNAUTHORIZED")));
    assert!(error.to_string().contains("incorrect username or password"), "{error}");
    assert_eq!(peer.asked("*", "/token").len(), 1);
    assert!(!format!("{error:?}").contains("hunter2"));
}

#[test]
fn a_password_is_sent_to_a_registry_itself_only_when_it_asks_for_it() {
    let peer = Peer::start(Behaviour { access: Access::Basic(accounts()), ..Behaviour::default() });
    peer.add_image("app", "latest", &[]);
    fetch(&me(), &peer).unwrap();
    let shown: Vec<bool> = peer
        .asked("GET", "/manifests/")
        .iter()
        .map(|one| one.request.header("authorization").is_some())
        .collect();
    assert_eq!(shown, [false, true]);
    let (wrong, _) = client_with(limits(), |options| options.credentials = user("me", "hunter2"));
    let error = fetch(&wrong, &peer).unwrap_err();
    assert_eq!(error.kind(), Kind::Unauthorized);
    assert_eq!(peer.asked("GET", "/manifests/").len(), 4, "twice more: asked, and answered");
}
