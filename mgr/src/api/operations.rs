// SPDX-License-Identifier: GPL-2.0

//! All that can be asked of the API: the source of its routes and of its OpenAPI document.

use std::future::Future;
use std::pin::Pin;

use http::Method;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::RefOr;
use utoipa::{PartialSchema, ToSchema};

use super::call::{Answer, Call};
use super::model::{self, *};
use super::problem::Problem;
use super::{apply, audit, moves, nodes, objects, plans, tokens, watch};

type Answering = Pin<Box<dyn Future<Output = Result<Answer, Problem>> + Send>>;
type Handler = Box<dyn Fn(Call) -> Answering + Send + Sync>;

/// A type as the document describes it.
pub(super) struct Shape {
    pub(super) name: String,
    pub(super) schemas: Vec<(String, RefOr<Schema>)>,
}

fn shape<T: ToSchema + PartialSchema>() -> Shape {
    let name = T::name().into_owned();
    let mut schemas = vec![(name.clone(), T::schema())];
    T::schemas(&mut schemas);
    Shape { name, schemas }
}

/// What a query parameter can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Flag,
    Limit,
    Text,
    OneOf,
}

/// A query parameter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) about: &'static str,
}

/// What an answer without error holds.
pub(super) enum Content {
    Nothing,
    One(Shape),
    List(Shape),
    Events,
    Bytes,
}

/// One thing that can be asked.
pub(super) struct Operation {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) id: &'static str,
    pub(super) about: &'static str,
    pub(super) query: Vec<Parameter>,
    pub(super) body: Option<Shape>,
    pub(super) statuses: Vec<u16>,
    pub(super) content: Content,
    /// Takes If-Match and If-None-Match.
    pub(super) conditional: bool,
    /// Whether it is to change something.
    pub(super) writes: bool,
    /// Takes Idempotency-Key. What shows a secret does not: its answer is kept nowhere.
    pub(super) repeatable: bool,
    pub(super) handler: Handler,
}

impl Operation {
    fn new<F: Future<Output = Result<Answer, Problem>> + Send + 'static>(
        method: Method,
        path: &'static str,
        id: &'static str,
        about: &'static str,
        handler: fn(Call) -> F,
    ) -> Self {
        let writes = method != Method::GET;
        let dry_run = Parameter {
            name: "dry_run",
            kind: Kind::Flag,
            about: "Only say what would happen.",
        };
        Self {
            statuses: vec![if method == Method::DELETE { 204 } else { 200 }],
            repeatable: method == Method::POST,
            conditional: method == Method::PUT || method == Method::DELETE,
            query: if writes { vec![dry_run] } else { Vec::new() },
            method,
            path,
            id,
            about,
            body: None,
            content: Content::Nothing,
            writes,
            handler: Box::new(move |call| Box::pin(handler(call))),
        }
    }

    fn takes<T: ToSchema + PartialSchema>(mut self) -> Self {
        self.body = Some(shape::<T>());
        self
    }

    fn gives<T: ToSchema + PartialSchema>(mut self) -> Self {
        self.content = Content::One(shape::<T>());
        self
    }

    fn lists<T: ToSchema + PartialSchema>(mut self) -> Self {
        self.content = Content::List(shape::<T>());
        self
    }

    fn pages(self) -> Self {
        self.asks(
            "limit",
            Kind::Limit,
            "So many items at most; 100 if absent.",
        )
        .asks(
            "after",
            Kind::Text,
            "Goes on behind the page whose `next` this is.",
        )
    }

    fn asks(mut self, name: &'static str, kind: Kind, about: &'static str) -> Self {
        self.query.push(Parameter { name, kind, about });
        self
    }

    /// Answers 201, and 200 if `too` is true.
    fn creates(mut self, too: bool) -> Self {
        self.statuses = if too { vec![200, 201] } else { vec![201] };
        self
    }

    fn unconditional(mut self) -> Self {
        self.conditional = false;
        self
    }

    fn content(mut self, content: Content) -> Self {
        self.content = content;
        self
    }
}

/// Every operation.
pub(super) fn all() -> Vec<Operation> {
    let get = Method::GET;
    let put = Method::PUT;
    let post = Method::POST;
    let delete = Method::DELETE;
    const ORGANISATION: &str = "/v1/organisations/{organisation}";
    const NETWORK: &str = "/v1/networks/{network}";
    const PEERING: &str = "/v1/networks/{network}/peerings/{peer}";
    const HOST: &str = "/v1/hosts/{host}";
    const NODE: &str = "/v1/nodes/{node}";
    let new = |method: &Method, path, id, about| (method.clone(), path, id, about);
    macro_rules! operation {
        ($method:ident $path:expr, $id:expr, $about:expr => $handler:expr) => {{
            let (method, path, id, about) = new(&$method, $path, $id, $about);
            Operation::new(method, path, id, about, $handler)
        }};
    }
    vec![
        operation!(get "/v1/organisations", "listOrganisations", "The organisations."
            => objects::list_organisations).lists::<Organisation>().pages(),
        operation!(get ORGANISATION, "getOrganisation", "An organisation."
            => objects::get_organisation).gives::<Organisation>(),
        operation!(put ORGANISATION, "putOrganisation", "Creates or changes an organisation."
            => objects::put_organisation)
            .takes::<OrganisationSet>().gives::<Organisation>().creates(true),
        operation!(delete ORGANISATION, "deleteOrganisation",
            "Deletes an organisation without networks and hosts."
            => objects::delete_organisation),
        operation!(get "/v1/networks", "listNetworks", "The networks."
            => objects::list_networks).lists::<Network>().pages(),
        operation!(get NETWORK, "getNetwork", "A network."
            => objects::get_network).gives::<Network>(),
        operation!(put NETWORK, "putNetwork", "Creates or changes a network."
            => objects::put_network).takes::<NetworkSet>().gives::<Network>().creates(true),
        operation!(delete NETWORK, "deleteNetwork", "Deletes a network without nodes."
            => objects::delete_network),
        operation!(get "/v1/networks/{network}/addresses", "listAddresses",
            "The addresses of a network: whose they are, and where those nodes are."
            => objects::list_addresses).lists::<Address>().pages(),
        operation!(get "/v1/networks/{network}/peerings", "listPeerings",
            "The networks that may talk to this one."
            => objects::list_peerings).lists::<Peering>(),
        operation!(put PEERING, "putPeering", "Lets nodes of a network talk to nodes of this one."
            => objects::put_peering).gives::<Peering>().creates(true),
        operation!(delete PEERING, "deletePeering", "Lets them talk no longer."
            => objects::delete_peering),
        operation!(get "/v1/networks/{network}/rules", "getRules", "The rules of a network."
            => objects::get_rules).gives::<Rules>(),
        operation!(put "/v1/networks/{network}/rules", "putRules", "Replaces the rules of a network."
            => objects::put_rules).takes::<Rules>().gives::<Rules>(),
        operation!(get "/v1/hosts", "listHosts", "The hosts."
            => objects::list_hosts).lists::<Host>().pages(),
        operation!(get HOST, "getHost", "A host."
            => objects::get_host).gives::<Host>(),
        operation!(put HOST, "putHost", "Creates or changes a host."
            => objects::put_host).takes::<HostSet>().gives::<Host>().creates(true),
        operation!(delete HOST, "deleteHost", "Deletes a host without nodes."
            => objects::delete_host),
        operation!(post "/v1/hosts/{host}/drain", "drainHost",
            "Moves the nodes of a host to others; says which would go where."
            => plans::drain_host).gives::<plans::PlanShown>(),
        operation!(get "/v1/plans", "getPlan", "Which nodes would better be where. Nothing is moved."
            => plans::get_plan).gives::<plans::PlanShown>()
            .asks("kind", Kind::Text, "`balance`: as full as each other; `consolidate`: on fewer hosts."),
        operation!(post "/v1/hosts/{host}/enrolments", "enrolHost",
            "A one-time token with which the host gets its identity."
            => objects::enrol_host).gives::<Enrolment>().creates(false).without_dry_run()
            .unrepeatable(),
        operation!(get "/v1/nodes", "listNodes", "The nodes."
            => nodes::list_nodes).lists::<Node>().pages(),
        operation!(post "/v1/nodes", "createNode", "Creates a node."
            => nodes::create_node).takes::<NodeSet>().gives::<Node>().creates(false),
        operation!(get NODE, "getNode", "A node."
            => nodes::get_node).gives::<Node>(),
        operation!(put NODE, "putNode",
            "Creates a node with this id, or changes its host and its addresses."
            => nodes::put_node).takes::<NodeSet>().gives::<Node>().creates(true),
        operation!(delete NODE, "deleteNode", "Deletes a node."
            => nodes::delete_node),
        operation!(put "/v1/nodes/{node}/placement", "placeNode",
            "Says on which host a node is to be. Where it runs, it is to end: a move keeps it running."
            => nodes::put_placement).takes::<Placement>().gives::<Node>(),
        operation!(get "/v1/nodes/{node}/constraints", "getConstraints",
            "Where a node may be, and what becomes of it when its host dies."
            => nodes::get_constraints).gives::<Constraints>(),
        operation!(put "/v1/nodes/{node}/constraints", "putConstraints",
            "Says where a node may be, and what becomes of it when its host dies."
            => nodes::put_constraints).takes::<Constraints>().gives::<Constraints>()
            .unconditional(),
        operation!(post "/v1/nodes/{node}/addresses", "addAddress", "Adds an address to a node."
            => nodes::add_address).takes::<AddressSet>().gives::<Node>().creates(false),
        operation!(delete "/v1/nodes/{node}/addresses/{address}", "deleteAddress",
            "Takes an address from a node."
            => nodes::delete_address),
        operation!(get "/v1/moves", "listMoves", "Moves under way, and those of the last day."
            => moves::list_moves).lists::<moves::Move>().pages(),
        operation!(post "/v1/moves", "startMove",
            "Moves a node to another host while it runs: nothing that is sent to it is lost."
            => moves::start_move).takes::<moves::MoveSet>().gives::<moves::Move>().creates(false),
        operation!(get "/v1/moves/{move}", "getMove", "A move."
            => moves::get_move).gives::<moves::Move>(),
        operation!(post "/v1/moves/{move}/abort", "abortMove",
            "Ends a move; the node stays where it is. Possible until it has left."
            => moves::abort_move).takes::<moves::Abort>().gives::<moves::Move>(),
        operation!(post "/v1/apply", "apply", "Makes everything what a document says."
            => apply::apply).takes::<apply::Document>().gives::<apply::Applied>()
            .asks("prune", Kind::Flag,
                "Delete what the document's organisations have and the document does not."),
        operation!(get "/v1/watch", "watch", "Changes as server-sent events."
            => watch::watch).content(Content::Events)
            .asks("from", Kind::Text, "After this `resume` of a list; from now on if absent.")
            .asks("kind", Kind::OneOf, "Only objects of this kind."),
        operation!(get "/v1/tokens", "listTokens", "The tokens, without their secrets."
            => tokens::list_tokens).lists::<TokenShown>(),
        operation!(post "/v1/tokens", "createToken", "Makes a token."
            => tokens::create_token).takes::<TokenSet>().gives::<TokenShown>().creates(false).unrepeatable(),
        operation!(delete "/v1/tokens/{token}", "deleteToken", "Makes a token void."
            => tokens::delete_token).unconditional(),
        operation!(get "/v1/audit", "listAudit", "Requests that were to change something."
            => audit::list).lists::<model::AuditEntry>().pages(),
        operation!(get "/v1/backup", "backup", "A backup of the whole store."
            => super::backup::backup).content(Content::Bytes),
    ]
}

impl Operation {
    fn without_dry_run(mut self) -> Self {
        self.query.retain(|parameter| parameter.name != "dry_run");
        self
    }

    fn unrepeatable(mut self) -> Self {
        self.repeatable = false;
        self
    }
}
