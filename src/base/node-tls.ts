// Node's TLS, loaded where it is used: with it, Node reads all certificates that the system trusts (`--use-system-ca`),
// which takes as much CPU as the start of Node itself.
import type * as nodeHttps from "node:https";
import type * as nodeTls from "node:tls";

export const loadTls = (): typeof nodeTls => process.getBuiltinModule("node:tls");

export const loadHttps = (): typeof nodeHttps => process.getBuiltinModule("node:https");
