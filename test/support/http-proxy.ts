// A proxy that alone knows a name: what asks for it by another way finds nothing.
import { once } from "node:events";
import http from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";

export interface HttpProxy extends AsyncDisposable {
  readonly url: string;
  /** The absolute URLs that it was asked for, and `CONNECT host:port` of tunnels. */
  readonly requests: string[];
}

/** @param hosts where each name is: `{ "cache.lab": "http://127.0.0.1:5000" }` */
export async function startHttpProxy(hosts: Readonly<Record<string, string>>): Promise<HttpProxy> {
  const requests: string[] = [];
  const server = http.createServer((request, response) => {
    requests.push(request.url ?? "");
    const asked = URL.parse(request.url ?? "");
    const target = asked === null ? undefined : hosts[asked.hostname];
    if (asked === null || target === undefined) {
      response.writeHead(502).end();
      return;
    }
    const { host: _, connection: __, ...headers } = request.headers;
    const forwarded = http.request(`${target}${asked.pathname}${asked.search}`, {
      method: request.method,
      headers,
    });
    forwarded.on("response", (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    forwarded.on("error", () => response.destroy());
    request.pipe(forwarded);
  });
  // How `fetch` goes through a proxy, to http:// as well.
  const tunnels = new Set<Socket>();
  server.on("connect", (request, client: Socket) => {
    requests.push(`CONNECT ${request.url}`);
    const target = URL.parse(hosts[(request.url ?? "").replace(/:\d+$/, "")] ?? "");
    if (target === null) {
      client.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
      return;
    }
    const upstream = connect(Number(target.port), target.hostname, () => {
      client.write("HTTP/1.1 200 OK\r\n\r\n");
      upstream.pipe(client).pipe(upstream);
    });
    for (const socket of [client, upstream]) {
      tunnels.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => tunnels.delete(socket));
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async [Symbol.asyncDispose]() {
      for (const socket of tunnels) socket.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
