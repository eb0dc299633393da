import { test as base } from "vitest";
import { connectTo, startNatsServer } from "./nats-server.ts";

/** `natsServer`: a plain server of the test file. `connection`: one of the test to it. */
export const test = base
  .extend("natsServer", { scope: "file" }, async ({}, { onCleanup }) => {
    const server = await startNatsServer();
    onCleanup(() => server[Symbol.asyncDispose]());
    return server;
  })
  .extend("connection", async ({ natsServer }, { onCleanup }) => {
    const connection = await connectTo(natsServer);
    onCleanup(() => connection.close());
    return connection;
  });
