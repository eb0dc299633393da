// `homelab-deploy cache verify`
import type { Command } from "@commander-js/extra-typings";
import { HomelabError } from "../../../base/errors.ts";
import type { Finding } from "../../../cache/finding.ts";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { examples } from "../../arguments/help-text.ts";
import { collect } from "../../arguments/parse-options.ts";
import { answer, chosen, type Choose } from "../../command.ts";
import type { CacheVerification } from "../../print/pages/cache-verification.ts";
import { connectReader } from "../../session/connect-reader.ts";
import { loadCommandConfig } from "../../session/connect.ts";
import { untilInterrupted } from "../../session/signals.ts";

/** Proves that the cache serves systems with everything that they need. */
export function addCacheVerify(cache: Command, choose: Choose): void {
  cache
    .command("verify")
    .description("Prove that the cache serves systems: complete, signed, and as they were built.")
    .argument("[host...]", "hosts, also as repo/host, or paths in the store")
    .option("--all", "the newest system of every host")
    .option("--repo <name>", "only this repo")
    .option("--cache <url>", "the cache (default: cache.url of the configuration)")
    .option("--public-key <key>", "trusted key, as NAME:BASE64; may be repeated", collect)
    .option("--full", "download and hash every NAR, instead of its first bytes")
    .option("--repair", "sign, restore or copy what is broken, and verify it again")
    .option("--key-file <file>", "secret key for --repair (default: cache.secretKeyFile)")
    .option("--without-store", "do not compare with this machine's store: verify what the cache itself lists")
    .option("--json", "print one JSON document")
    .addHelpText(
      "after",
      examples(
        "cache verify --all",
        "cache verify web01 --full",
        "cache verify /run/current-system --cache http://cache01.lan:5000 --public-key cache.lan-1:AbC…",
      ),
    )
    .action(
      chosen(choose, async (context, names, options) => {
        const { all, repo, repair, withoutStore } = options;
        if (repair === true && withoutStore === true) {
          throw new HomelabError("usage", "without a store there is nothing to repair from", {
            code: "BAD_ARGUMENTS",
            hint: "leave --repair or --without-store out",
          });
        }
        if ((all === true) === names.length > 0) {
          throw new HomelabError(
            "usage",
            all === true ? "--all and names exclude each other" : "nothing to verify was named",
            { code: "BAD_ARGUMENTS", hint: "name hosts or paths, or use --all" },
          );
        }
        const [{ findTargets }, { verifyCache }, { renderVerification, verificationJson }] =
          await Promise.all([
            import("../../cache/cache-targets.ts"),
            import("../../cache/verify-cache.ts"),
            import("../../print/pages/cache-verification.ts"),
          ]);
        const signal = untilInterrupted(context.signals);
        const config = await loadCommandConfig(context);
        const result = await verifyCache(
          context,
          config,
          options,
          async (storeDirectory) =>
            findTargets(
              async () => connectReader(context, config, signal),
              { names: all === true ? "all" : names, repo, storeDirectory },
              signal,
            ),
          signal,
        );
        const { out, outStyle: style } = context;
        answer(context, {
          json: () => verificationJson(result),
          text: () => renderVerification(result, { style, width: out.columns }),
        });
        return verificationExitCode(result);
      }),
    );
}

/** 0: all of it is proven. 1: something is not served as it should be. 3: the cache does not answer. 4: it refuses us. */
export function verificationExitCode({ verification, targets }: CacheVerification): number {
  const { findings } = verification;
  const isKnown = ({ problem }: Finding): boolean => problem !== "unanswered" && problem !== "refused";
  if (findings.some(isKnown)) return exitCodes.failed;
  if (findings.some(({ problem }) => problem === "refused")) return exitCodes.refused;
  return findings.length > 0 || targets.length === 0 ? exitCodes.unavailable : exitCodes.success;
}
