// Options of every command that orders something of hosts.
import type { Command } from "@commander-js/extra-typings";
import { parseDuration } from "../../arguments/parse-options.ts";

export const addOrderOptions = <Args extends unknown[], Options extends Record<string, unknown>>(
  command: Command<Args, Options>,
  { detach = "print the order's id and do not wait; for one host" }: { readonly detach?: string } = {},
) =>
  command
    .option("--repo <name>", "only this repo")
    .option("--plan", "show what would be ordered, and sign nothing")
    .option(
      "--key <file>",
      "the key to sign with (default: $HOMELAB_DEPLOY_KEY, then ~/.config/homelab-deploy/order.seed)",
    )
    .option("--reason <text>", "why, recorded for others to read")
    .option("--detach", detach)
    .option(
      "--timeout <duration>",
      "stop waiting after this time, such as 30m; the host continues",
      parseDuration,
    )
    .option("--yes", "do not ask when there are several hosts")
    .option("--json", "print one JSON object per event");
