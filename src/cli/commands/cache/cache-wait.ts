// `homelab-deploy cache wait`
import { Option, type Command } from "@commander-js/extra-typings";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { collect, parseDuration } from "../../arguments/parse-options.ts";
import { answer, chosen, type Choose } from "../../command.ts";
import { loadCommandConfig } from "../../session/connect.ts";
import { untilInterrupted } from "../../session/signals.ts";

const exitCodeOf = { served: exitCodes.success, failed: exitCodes.failed, "timed-out": exitCodes.timeout };

export function addCacheWait(cache: Command, choose: Choose): void {
  cache
    .command("wait")
    .description("Wait until every host of a commit is built, and the cache serves it.")
    .requiredOption("--rev <commit>", "the commit, as 40 hexadecimal digits")
    .addOption(
      new Option("--timeout <duration>", "give up after this time, such as 30m")
        .argParser(parseDuration)
        .default(15 * 60_000, "15m"),
    )
    .option("--cache <url>", "the cache (default: cache.url of the configuration)")
    .option("--public-key <key>", "trusted key, as NAME:BASE64; may be repeated", collect)
    .option("--json", "print one JSON document")
    .action(
      chosen(choose, async (context, { rev, timeout: timeoutMs, ...choice }) => {
        const [{ parseCommit }, { waitUntilServed }, { renderServed, servedJson }] = await Promise.all([
          import("../../../protocol/names.ts"),
          import("../../cache/wait-until-served.ts"),
          import("../../print/pages/served-outcome.ts"),
        ]);
        const interrupted = untilInterrupted(context.signals);
        const commit = parseCommit(rev.toLowerCase());
        const config = await loadCommandConfig(context);
        const specification = { ...choice, commit, timeoutMs };
        const { url, ...outcome } = await waitUntilServed(context, config, specification, interrupted);
        answer(context, {
          json: () => servedJson(url, commit, outcome),
          text: () => renderServed(url, commit, outcome, { style: context.outStyle, timeoutMs }),
        });
        return exitCodeOf[outcome.type];
      }),
    );
}
