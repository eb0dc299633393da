// `homelab-deploy cache status`
import type { Command } from "@commander-js/extra-typings";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { collect } from "../../arguments/parse-options.ts";
import { answer, chosen, type Choose } from "../../command.ts";
import { untilInterrupted } from "../../session/signals.ts";

/** 1 when hosts could not use the cache, 3 when it does not answer, 4 when it refuses us. */
const exitCodeOf = {
  sound: exitCodes.success,
  faulty: exitCodes.failed,
  silent: exitCodes.unavailable,
  refused: exitCodes.refused,
};

export function addCacheStatus(cache: Command, choose: Choose): void {
  cache
    .command("status")
    .description("Show whether the cache answers, how fast and with which key; on the builder also its disk.")
    .option("--cache <url>", "the cache (default: cache.url of the configuration)")
    .option("--public-key <key>", "trusted key, as NAME:BASE64; may be repeated", collect)
    .option("--json", "print one JSON document")
    .action(
      chosen(choose, async (context, options) => {
        const [{ readCacheStatus }, { cacheStateOf, cacheStatusJson, renderCacheStatus }] = await Promise.all(
          [import("../../cache/read-cache-status.ts"), import("../../print/pages/cache-status.ts")],
        );
        const status = await readCacheStatus(context, options, untilInterrupted(context.signals));
        answer(context, {
          json: () => cacheStatusJson(status),
          text: () => renderCacheStatus(status, context.outStyle),
        });
        return exitCodeOf[cacheStateOf(status)];
      }),
    );
}
