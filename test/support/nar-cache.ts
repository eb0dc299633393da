// A binary cache to verify against: real narinfos and NARs that Nix wrote, served over HTTP in the way of Harmonia
// (ranges, no compression in transport), and made to lie where a test says so.
import { once } from "node:events";
import { open, readdir, readFile } from "node:fs/promises";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { join, relative } from "node:path";

/** How one answer goes wrong. */
export interface Fault {
  /** Instead of 200. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Instead of the file. */
  readonly edit?: (body: Buffer) => Buffer | string;
  /** The connection ends after so many bytes of the body, which was promised whole. */
  readonly cutAt?: number;
  /** The connection ends without an answer. */
  readonly hangUp?: boolean;
  /** Nothing comes, and the connection stays. */
  readonly hang?: boolean;
  /** Only the first so many times. */
  readonly times?: number;
}

export interface NarCache extends AsyncDisposable {
  readonly url: string;
  /** Every request in its order: `/<hash>.narinfo`. */
  readonly requests: string[];
  /** The `authorization` header of each. */
  readonly authorizations: (string | undefined)[];
  /** The most connections that were open at a time. */
  mostConnections(): number;
  /** @param path as it is asked for, or `*` for everything; without a fault it is served well again */
  setFault(path: string, fault?: Fault): void;
}

/** What there is at a path such as `/nar/….nar`; undefined for nothing. */
export type ReadServed = (path: string) => Promise<Buffer | undefined>;

/** @param source the directory of a `file://` store, or what reads it */
export async function serveNarCache(
  source: string | ReadServed,
  options: {
    ranges?: boolean;
    /** The header without which everything is answered with 401. */
    authorization?: string;
    port?: number;
    /** To listen on. */
    host?: string;
  } = {},
): Promise<NarCache> {
  const faults = new Map<string, { fault: Fault; left: number }>();
  const requests: string[] = [];
  const authorizations: (string | undefined)[] = [];
  let most = 0;
  let connections = 0;

  function takeFault(path: string): Fault {
    for (const key of [path, "*"]) {
      const known = faults.get(key);
      if (known === undefined || known.left === 0) continue;
      known.left--;
      return known.fault;
    }
    return {};
  }

  async function answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const path = request.url ?? "";
    requests.push(path);
    authorizations.push(request.headers.authorization);
    const isRefused =
      options.authorization !== undefined && request.headers.authorization !== options.authorization;
    const fault = isRefused ? { status: 401 } : takeFault(path);
    if (fault.hang === true) return;
    if (fault.hangUp === true) {
      request.socket.destroy();
      return;
    }
    const file = await (typeof source === "string" ? readFromDirectory(source, path) : source(path));
    const status = fault.status ?? (file === undefined ? 404 : 200);
    const edited = Buffer.from(fault.edit?.(file ?? Buffer.alloc(0)) ?? file ?? "");
    const range = /^bytes=0-(?<last>\d+)$/.exec(request.headers.range ?? "")?.groups?.["last"];
    const isPart = range !== undefined && status === 200 && options.ranges !== false;
    const body = isPart ? edited.subarray(0, Number(range) + 1) : edited;
    response.writeHead(isPart ? 206 : status, {
      "content-length": body.byteLength,
      ...(isPart ? { "content-range": `bytes 0-${body.byteLength - 1}/${edited.byteLength}` } : {}),
      ...fault.headers,
    });
    if (fault.cutAt === undefined) response.end(body);
    else response.write(body.subarray(0, fault.cutAt), () => response.destroy());
  }

  const server = http.createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  server.on("connection", (socket) => {
    most = Math.max(most, ++connections);
    socket.on("close", () => connections--);
  });
  const host = options.host ?? "127.0.0.1";
  server.listen(options.port ?? 0, host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host}:${port}`,
    requests,
    authorizations,
    mostConnections: () => most,
    setFault(path, fault) {
      if (fault === undefined) faults.delete(path);
      else faults.set(path, { fault, left: fault.times ?? Number.POSITIVE_INFINITY });
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** All files of a `file://` store at once: then the server costs less of the machine that it shares with what is measured. */
export async function loadDirectory(directory: string): Promise<ReadServed> {
  const files = new Map<string, Buffer>();
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    files.set(`/${relative(directory, file)}`, await readFile(file));
  }
  return async (path) => files.get(path.replace(/\?.*$/, ""));
}

async function readFromDirectory(directory: string, path: string): Promise<Buffer | undefined> {
  const name = path.replace(/\?.*$/, "");
  if (!/^\/(?:nar\/)?[\w.-]+$/.test(name)) return undefined;
  try {
    await using file = await open(join(directory, name));
    return await readFile(file);
  } catch {
    return undefined;
  }
}
