// A server with a key for every role as a fixture of vitest.
import { test as base } from "vitest";
import type { Connection, ConnectionOptions } from "../../src/bus/connect/connection.ts";
import { startRolesServer, type TestUser } from "./start-roles-server.ts";

/** `roles`: such a server for the test file. `as`: connections of the test to it. */
export const test = base
  .extend("roles", { scope: "file" }, async ({}, { onCleanup }) => {
    const server = await startRolesServer();
    onCleanup(() => server[Symbol.asyncDispose]());
    return server;
  })
  .extend("as", async ({ roles }, { onCleanup }) => {
    const opened: Connection[] = [];
    onCleanup(async () => {
      await Promise.all(opened.map(async (connection) => connection.close()));
    });
    return async (user: TestUser, options?: Partial<ConnectionOptions>): Promise<Connection> => {
      const connection = await roles.connect(user, options);
      opened.push(connection);
      return connection;
    };
  });
