// A real git server over https: git's own http-backend behind Basic authentication.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { gitEnvironment } from "./git-remote.ts";

const run = promisify(execFile);

export interface GitHttpsServer extends AsyncDisposable {
  readonly url: string;
  /** PEM, for `GIT_SSL_CAINFO`. */
  readonly caFile: string;
  /** The `authorization` header of each request so far. */
  readonly authorizations: readonly (string | undefined)[];
}

export interface GitHttpsServerOptions {
  /** Absolute path; its repositories are served. */
  readonly root: string;
  /** For the certificate. */
  readonly directory: string;
  readonly username: string;
  readonly token: string;
  /** Sends every request to the same path of this server. */
  readonly redirectTo?: string;
  /** Only those that are signed in. */
  readonly redirectsSignedIn?: boolean;
  /** What a wrong token gets: 401 from Gitea, 403 from others, which is the default. */
  readonly wrongToken?: 401 | 403;
  /** A public repository: whoever reads is not asked who it is. */
  readonly isPublic?: boolean;
}

export async function startGitHttpsServer(options: GitHttpsServerOptions): Promise<GitHttpsServer> {
  const { root, directory, username, token, redirectTo, redirectsSignedIn = false } = options;
  const { wrongToken = 403, isPublic = false } = options;
  const keyFile = join(directory, "key.pem");
  const caFile = join(directory, "certificate.pem");
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  await run("openssl", ["req", "-x509", ...curve, ...names, "-keyout", keyFile, "-out", caFile]);
  const authorizations: (string | undefined)[] = [];
  const expected = `Basic ${Buffer.from(`${username}:${token}`).toString("base64")}`;

  const server = createServer(
    { key: await readFile(keyFile), cert: await readFile(caFile) },
    (request, response) => {
      const { authorization } = request.headers;
      authorizations.push(authorization);
      if (redirectTo !== undefined && (!redirectsSignedIn || authorization === expected)) {
        response.writeHead(302, { location: `${redirectTo}${request.url ?? ""}` }).end();
      } else if (isPublic && !request.url?.includes("git-receive-pack")) {
        serveGit(root, request, response);
      } else if (authorization === undefined) {
        response.writeHead(401, { "www-authenticate": 'Basic realm="git"' }).end();
      } else if (authorization === expected) {
        serveGit(root, request, response);
      } else if (wrongToken === 401) {
        // What Gitea 1.26 says (services/auth/basic.go, routers/web/repo/githttp.go).
        response
          .writeHead(401, { "www-authenticate": 'Basic realm="Gitea"', "content-type": "text/plain" })
          .end("invalid username, password or token\n");
      } else {
        // A careless server repeats what it was sent; git shows such text as `remote: …`.
        const sent = Buffer.from(authorization.slice("Basic ".length), "base64").toString();
        response
          .writeHead(403, { "content-type": "text/plain" })
          .end(`no access with ${authorization} ${sent}\n`);
      }
    },
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://localhost:${port}`,
    caFile,
    authorizations,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** CGI, as git-http-backend(1) wants it. */
function serveGit(root: string, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? "/", "http://localhost");
  const header = (name: string): string => request.headers[name]?.toString() ?? "";
  const backend = spawn("git", ["http-backend"], {
    stdio: ["pipe", "pipe", "inherit"],
    env: {
      ...gitEnvironment,
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: "1",
      REQUEST_METHOD: request.method ?? "GET",
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      CONTENT_TYPE: header("content-type"),
      HTTP_CONTENT_ENCODING: header("content-encoding"),
      GIT_PROTOCOL: header("git-protocol"),
      REMOTE_USER: "test",
    },
  });
  request.pipe(backend.stdin);
  const chunks: Buffer[] = [];
  backend.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  backend.stdout.on("end", () => {
    const output = Buffer.concat(chunks);
    const end = output.indexOf("\r\n\r\n");
    const headers = output.subarray(0, end).toString().split("\r\n");
    for (const line of headers) {
      const colon = line.indexOf(":");
      const [name, value] = [line.slice(0, colon), line.slice(colon + 1).trim()];
      if (name.toLowerCase() === "status") response.statusCode = Number.parseInt(value, 10);
      else response.setHeader(name, value);
    }
    response.end(output.subarray(end + 4));
  });
}
