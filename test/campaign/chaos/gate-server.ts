// A Prometheus that says what a campaign wants it to say.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** `no`: a sample that is 0; `broken`: an answer that is none. */
export const gateModes = ["good", "no", "no-data", "broken", "hangs"] as const;
export type GateMode = (typeof gateModes)[number];

export interface GateServer extends AsyncDisposable {
  readonly url: string;
  mode: GateMode;
}

const answerOf = (values: readonly string[]): string =>
  JSON.stringify({
    status: "success",
    data: { resultType: "vector", result: values.map((value) => ({ metric: {}, value: [1, value] })) },
  });

export async function startGateServer(): Promise<GateServer> {
  const server = createServer((request, response) => {
    request.resume();
    switch (gate.mode) {
      case "good":
        return void response.end(answerOf(["1"]));
      case "no":
        return void response.end(answerOf(["0"]));
      case "no-data":
        return void response.end(answerOf([]));
      case "broken":
        return void response.writeHead(500).end("out of memory");
      case "hangs":
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const gate: GateServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    mode: "good",
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return gate;
}
