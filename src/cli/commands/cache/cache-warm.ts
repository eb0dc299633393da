// `homelab-deploy cache warm`
import type { Command } from "@commander-js/extra-typings";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { parseHostName } from "../../../protocol/names.ts";
import { examples } from "../../arguments/help-text.ts";
import { collect, parseDuration } from "../../arguments/parse-options.ts";
import { answer, chosen, type Choose } from "../../command.ts";
import { loadCommandConfig } from "../../session/connect.ts";
import { openReader } from "../../session/connect-reader.ts";
import { untilInterrupted } from "../../session/signals.ts";
import { verificationExitCode } from "./cache-verify.ts";

/** Whoever stopped waiting for the build does not want to wait for the proof, and a refused request built nothing. */
const stopped: readonly number[] = [
  exitCodes.interrupted,
  exitCodes.terminated,
  exitCodes.timeout,
  exitCodes.usage,
];

/**
 * After a cache was recreated, builds what it should serve and proves that it does. Exits as the build does, or else as
 * the proof: what failed to build does not keep the rest from being proven.
 */
export function addCacheWarm(cache: Command, choose: Choose): void {
  cache
    .command("warm")
    .description("Fill an empty cache: build everything, and verify that all of it is served.")
    .argument("[host...]", "hosts, also as repo/host")
    .option("--all", "every host of every repo, or of --repo")
    .option("--repo <name>", "only this repo")
    .option(
      "--timeout <duration>",
      "stop waiting for the build after this time; the build continues",
      parseDuration,
    )
    .option("--cache <url>", "the cache (default: cache.url of the configuration)")
    .option("--public-key <key>", "trusted key, as NAME:BASE64; may be repeated", collect)
    .option("--without-store", "for machines whose store does not have the systems")
    .option("--json", "print one JSON object per event, and one for the verification")
    .addHelpText("after", examples("cache warm --all", "cache warm --all --repo nixos-servers"))
    .action(
      chosen(choose, async (context, hosts, options) => {
        const [
          { decideRequest },
          { watchBuild },
          { hostTargets },
          { verifyCache },
          cacheAccess,
          print,
          { requestDigest },
        ] = await Promise.all([
          import("../../builds/decide-request.ts"),
          import("../../builds/watch-build.ts"),
          import("../../cache/cache-targets.ts"),
          import("../../cache/verify-cache.ts"),
          import("../../../wiring/compose-cache.ts"),
          import("../../print/pages/cache-verification.ts"),
          import("../../../protocol/request-digest.ts"),
        ]);
        const { all, repo, timeout } = options;
        // The proof is of hosts that are named, and a glob is for the builder to read.
        for (const host of hosts) parseHostName(host.slice(host.indexOf("/") + 1));
        const config = await loadCommandConfig(context);
        // Before hours of building.
        cacheAccess.chooseCacheUrl(config.cache, options);
        cacheAccess.chooseKeys(config.cache, options);
        const { target, request } = decideRequest(hosts, { all, repo, priority: "batch" }, context);
        await using session = await openReader(context, config);
        const { reader } = session;
        session.handOver();
        const built = await watchBuild(
          context,
          reader,
          request.id,
          { timeout },
          {
            submit: async (signal) => reader.submit(target, request, signal),
            about: requestDigest(target, request),
          },
        );
        if (stopped.includes(built)) return built;
        const signal = untilInterrupted(context.signals);
        const names = all === true ? "all" : hosts;
        const ofRepo = target.repo === "any" ? undefined : target.repo;
        const result = await verifyCache(
          context,
          config,
          options,
          async () => hostTargets(reader, names, ofRepo, signal),
          signal,
        );
        const { out, outStyle: style } = context;
        answer(context, {
          json: () => ({ type: "cache-verified", ...print.verificationJson(result) }),
          text: () => `\n${print.renderVerification(result, { style, width: out.columns })}`,
          line: true,
        });
        return built === exitCodes.success ? verificationExitCode(result) : built;
      }),
    );
}
