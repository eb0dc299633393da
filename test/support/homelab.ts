// The home lab as a fixture of vitest.
import { test as base } from "vitest";
import { startHomelab } from "./start-homelab.ts";

/** One home lab for a test file. */
export const test = base.extend("homelab", { scope: "file" }, async ({}, { onCleanup }) => {
  const homelab = await startHomelab();
  onCleanup(() => homelab[Symbol.asyncDispose]());
  return homelab;
});
