// git's own http-backend, so that pushes and hooks are real.
import { spawn } from "node:child_process";
import type { IncomingMessage, ServerResponse } from "node:http";
import { basename, dirname } from "node:path";
import { gitEnvironment } from "../git-remote.ts";

export interface GitRequest {
  /** Absolute path of the bare repository. */
  readonly repository: string;
  /** Below the repository: `/info/refs`. */
  readonly path: string;
  readonly query: string;
  readonly user: string;
}

/** CGI, as git-http-backend(1) wants it. */
export function serveGit(
  { repository, path, query, user }: GitRequest,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const header = (name: string): string => request.headers[name]?.toString() ?? "";
  const backend = spawn("git", ["http-backend"], {
    stdio: ["pipe", "pipe", "inherit"],
    env: {
      ...gitEnvironment,
      GIT_PROJECT_ROOT: dirname(repository),
      GIT_HTTP_EXPORT_ALL: "1",
      REQUEST_METHOD: request.method ?? "GET",
      PATH_INFO: `/${basename(repository)}${path}`,
      QUERY_STRING: query,
      CONTENT_TYPE: header("content-type"),
      HTTP_CONTENT_ENCODING: header("content-encoding"),
      GIT_PROTOCOL: header("git-protocol"),
      REMOTE_USER: user,
    },
  });
  request.pipe(backend.stdin);
  const chunks: Buffer[] = [];
  backend.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  backend.stdout.on("end", () => {
    const output = Buffer.concat(chunks);
    const end = output.indexOf("\r\n\r\n");
    for (const line of output.subarray(0, end).toString().split("\r\n")) {
      const colon = line.indexOf(":");
      const [name, value] = [line.slice(0, colon), line.slice(colon + 1).trim()];
      if (name.toLowerCase() === "status") response.statusCode = Number.parseInt(value, 10);
      else response.setHeader(name, value);
    }
    response.end(output.subarray(end + 4));
  });
}
