// A forge for tests: real state, a real git repository, and the faults that a network and a proxy add.
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createGitRemote, type GitRemote } from "../git-remote.ts";
import { Refusal, type Reply, type Route } from "./api.ts";
import { createFaults, type Faults } from "./faults.ts";
import { createForgeState, type ForgeState, type User } from "./forge-state.ts";
import { serveGit } from "./git-over-http.ts";
import { giteaRoutes } from "./gitea-routes.ts";
import { githubRoutes } from "./github-routes.ts";
import type { CheckedRequest, Contract } from "./openapi.ts";
import { bestMatch } from "./path-template.ts";
import { readRequestBody, type RequestBody } from "./request-body.ts";
import { missingScope } from "./token-scopes.ts";

export interface ForgeServerOptions {
  readonly kind: "gitea" | "forgejo" | "github";
  /** An existing directory, for the repository. */
  readonly directory: string;
  /** Every request and answer is held to it: see `violations`. */
  readonly contract?: Contract;
  readonly version?: string;
  readonly ownerIsOrganization?: boolean;
  /** Where it listens. */
  readonly address?: string;
}

export interface LoggedRequest {
  readonly method: string;
  /** Below the API's root, without the query. */
  readonly path: string;
  readonly query: string;
  readonly user: string | undefined;
  /** Undefined when the connection was cut. */
  readonly status: number | undefined;
}

export interface ForgeServer extends AsyncDisposable {
  /** What a person would type: the server has a sub-path. */
  readonly url: string;
  /** For git, with Basic authentication by user and token. */
  readonly gitUrl: string;
  readonly remote: GitRemote;
  readonly state: ForgeState;
  readonly bot: User;
  readonly faults: Faults;
  /** Calls of the API, in order. Without headers and bodies: nothing secret is in it. */
  readonly requests: readonly LoggedRequest[];
  /** What did not fit the contract. Disposing throws when there is any. */
  readonly violations: readonly string[];
  /** While true, connections end at once. */
  isDown: boolean;
}

const owner = "home";
const name = "nixos-servers";
/** Gitea writes its links to where it believes to be. */
const rootUrl = "http://root-url.invalid/git";
const versions = { gitea: "1.26.3", forgejo: "15.0.1+gitea-1.22.0", github: "" } as const;

export async function startForgeServer(options: ForgeServerOptions): Promise<ForgeServer> {
  const { kind, directory, contract, version = versions[kind], ownerIsOrganization = false } = options;
  const remote = await createGitRemote(directory);
  const state = createForgeState({ owner, name, ownerIsOrganization, git: remote.git });
  const bot = state.addUser("homelab-bot");
  const faults = createFaults();
  const requests: LoggedRequest[] = [];
  const violations: string[] = [];
  const api = { state, rootUrl };
  const serving: Serving = {
    state,
    faults,
    contract,
    violations,
    requests,
    apiPath: `/git${kind === "github" ? "/api/v3" : "/api/v1"}`,
    routes: kind === "github" ? githubRoutes(api) : giteaRoutes(api, kind, version),
    checksScopes: kind !== "github",
    refusesUnknownTokens: kind === "gitea",
    repository: remote.path,
  };

  const server = createServer((request, response) => {
    if (forge.isDown) request.socket.destroy();
    else void serve(serving, request, response);
  });
  const { address = "127.0.0.1" } = options;
  server.listen(0, address);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const url = `http://${address}:${port}/git`;
  const forge: ForgeServer = {
    url,
    gitUrl: `${url}/${owner}/${name}.git`,
    remote,
    state,
    bot,
    faults,
    requests,
    violations,
    isDown: false,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
      if (violations.length > 0) throw new Error(`against the forge's contract:\n${violations.join("\n")}`);
    },
  };
  return forge;
}

interface Serving {
  readonly state: ForgeState;
  readonly faults: Faults;
  readonly contract: Contract | undefined;
  readonly violations: string[];
  readonly requests: LoggedRequest[];
  readonly apiPath: string;
  readonly routes: readonly Route[];
  readonly checksScopes: boolean;
  /** Gitea 1.26: also where guests may read. */
  readonly refusesUnknownTokens: boolean;
  readonly repository: string;
}

async function serve(serving: Serving, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "/", "http://localhost");
  const user = signedIn(serving.state, request.headers.authorization ?? "");
  const gitPath = `/git/${owner}/${name}.git`;
  if (url.pathname.startsWith(`${gitPath}/`)) {
    if (user === undefined) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="git"' }).end();
      return;
    }
    const path = url.pathname.slice(gitPath.length);
    serveGit(
      { repository: serving.repository, path, query: url.search.slice(1), user: user.login },
      request,
      response,
    );
    return;
  }
  const method = request.method ?? "GET";
  const path = url.pathname.startsWith(serving.apiPath)
    ? url.pathname.slice(serving.apiPath.length)
    : url.pathname;
  const log = (status: number | undefined): void => {
    serving.requests.push({ method, path, query: url.search, user: user?.login, status });
  };
  const effect = serving.faults.take(method, path);
  if (effect?.type === "stall") return;
  if (effect?.type === "drop-before") {
    log(undefined);
    request.socket.destroy();
    return;
  }
  const body = await readRequestBody(request).catch(() => undefined);
  if (effect?.type === "answer") {
    log(effect.answer.status);
    response.writeHead(effect.answer.status, effect.answer.headers).end(effect.answer.body);
    return;
  }
  if (effect?.type === "meanwhile") await effect.happens();
  const reply = await answer(serving, {
    method,
    path,
    query: url.searchParams,
    user,
    hasUnknownToken: user === undefined && request.headers.authorization !== undefined,
    body,
  });
  if (effect?.type === "drop-after") {
    log(undefined);
    request.socket.destroy();
    return;
  }
  log(reply.status);
  response.writeHead(reply.status, { "content-type": "application/json", ...reply.headers });
  response.end(reply.json === undefined ? "" : JSON.stringify(reply.json));
}

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly user: User | undefined;
  readonly hasUnknownToken: boolean;
  /** Undefined when it could not be read. */
  readonly body: RequestBody | undefined;
}

async function answer(serving: Serving, asked: Asked): Promise<Reply> {
  const { contract, violations } = serving;
  const { method, path, query, body } = asked;
  if (asked.hasUnknownToken && serving.refusesUnknownTokens) {
    return { status: 401, json: { message: "invalid username, password or token", url: "" } };
  }
  if (body === undefined) return { status: 422, json: { message: "the body cannot be read", url: "" } };
  const json = asDocumented(body.json);
  const checked: CheckedRequest = { method, path, query, json, form: body.form };
  const wrong = contract?.request(checked) ?? [];
  if (wrong.length > 0) {
    violations.push(...wrong);
    return { status: 500, json: { message: wrong.join("; "), url: "" } };
  }
  const reply = await handle(serving, asked, json, body.files);
  violations.push(...(contract?.response(checked, reply.status, reply.json) ?? []));
  return reply;
}

async function handle(
  { routes, checksScopes }: Serving,
  { method, path, query, user }: Asked,
  json: unknown,
  files: RequestBody["files"],
): Promise<Reply> {
  const missing = checksScopes && user !== undefined ? missingScope(method, path, user.scopes) : undefined;
  if (missing !== undefined) return { status: 403, json: { message: missing, url: "" } };
  if (user !== undefined && !user.canPush && method !== "GET") {
    return { status: 403, json: { message: "user should have permission to write", url: "" } };
  }
  const found = bestMatch<Route>(
    routes.filter((route) => route.method === method),
    path,
  );
  if (found === undefined) return { status: 404, json: { message: "Not Found", url: "" } };
  const fields = typeof json === "object" && json !== null ? Object.fromEntries(Object.entries(json)) : {};
  try {
    return await found.item.handle({ values: found.values, query, json: fields, files, user });
  } catch (error) {
    if (error instanceof Refusal) return error.reply;
    throw error;
  }
}

/** Gitea takes `Do` as well as the `do` of its document, and older versions only that. */
function asDocumented(json: unknown): unknown {
  if (typeof json !== "object" || json === null || !("Do" in json)) return json;
  const { Do, ...rest } = json;
  return { ...rest, do: Do };
}

/** By `token T`, `Bearer T` and Basic; whom Forgejo does not know is anonymous, which is no error yet. */
function signedIn(state: ForgeState, authorization: string): User | undefined {
  const [scheme = "", credentials = ""] = authorization.split(" ");
  const basic = Buffer.from(credentials, "base64").toString().split(":").at(-1) ?? "";
  const token = scheme.toLowerCase() === "basic" ? basic : credentials;
  return state.users.find((user) => user.token === token);
}
