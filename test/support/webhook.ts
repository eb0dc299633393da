// Whom a webhook tells: what came, in its order.
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";

export interface Webhook extends AsyncDisposable {
  /** The file with its address, as `webhookFile` of a configuration names it. */
  readonly file: string;
  /** The texts that people were told. */
  readonly told: readonly string[];
}

/** @param directory for the file */
export async function startWebhook(directory: string): Promise<Webhook> {
  const told: string[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      told.push((JSON.parse(body) as { readonly text: string }).text);
      response.end();
      return undefined;
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const file = join(directory, "webhook");
  await writeFile(file, `http://127.0.0.1:${port}/\n`, { mode: 0o600 });
  return {
    file,
    told,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
