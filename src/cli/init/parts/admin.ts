// The admin, who creates the streams and nothing else.
import { adminName, type Plan } from "../decide-installation.ts";
import type { Part } from "../part.ts";
import { commandOf, configFile, keyPath, natsSettings } from "./config-file.ts";

export function adminPart(plan: Plan): Part {
  const name = adminName;
  const identity = { role: "admin" } as const;
  const setUp = commandOf(plan, name, "nats", "setup");
  return {
    name,
    goesTo: "nowhere: it stays here. Keep this directory in a safe place",
    holds: "the key that may create streams",
    identity,
    files: () => [configFile({ nats: natsSettings(plan, identity, keyPath(plan, name)) })],
    inPlace: setUp,
    proofs: [{ command: setUp, expects: "each stream is `created` the first time, and `ok` ever after" }],
  };
}
