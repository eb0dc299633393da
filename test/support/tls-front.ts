// TLS with a certificate of nobody's authority in front of an HTTP server.
import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import http from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface TlsFront extends AsyncDisposable {
  readonly url: string;
  /** PEM: who trusts it, trusts the front. */
  readonly caFile: string;
}

/** @param directory for the certificate */
export async function startTlsFront(target: string, directory: string): Promise<TlsFront> {
  const keyFile = join(directory, "front-key.pem");
  const caFile = join(directory, "front.pem");
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,DNS:cache.lab"];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  await run("openssl", ["req", "-x509", ...curve, ...names, "-keyout", keyFile, "-out", caFile]);
  const server = https.createServer(
    { key: await readFile(keyFile), cert: await readFile(caFile) },
    (request, response) => {
      const { host: _, connection: __, ...headers } = request.headers;
      const forwarded = http.request(`${target}${request.url ?? ""}`, { method: request.method, headers });
      forwarded.on("response", (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      forwarded.on("error", () => response.destroy());
      request.pipe(forwarded);
    },
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `https://localhost:${(server.address() as AddressInfo).port}`,
    caFile,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
