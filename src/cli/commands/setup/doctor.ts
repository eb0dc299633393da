// `homelab-deploy doctor`
import type { Command } from "@commander-js/extra-typings";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { answer, chosen, type Choose } from "../../command.ts";
import type { Finding } from "../../doctor/finding.ts";
import type { Style } from "../../print/style.ts";
import { untilInterrupted } from "../../session/signals.ts";

export function addDoctor(command: Command, choose: Choose): void {
  command.option("--json", "print one JSON document").action(
    chosen(choose, async (context) => {
      const { examine } = await import("../../doctor/examine.ts");
      if (context.err.isTTY === true && !context.json) {
        context.err.write("Looking. Where there are repos, a host is evaluated: that can take a minute.\n");
      }
      const findings = await examine(context, untilInterrupted(context.signals));
      const sound = findings.every(({ state }) => state !== "wrong");
      answer(context, {
        json: () => ({ sound, findings: findings.map((finding) => ({ ...finding, cause: undefined })) }),
        text: () => findings.map((finding) => renderFinding(finding, context.outStyle)).join(""),
      });
      return sound ? exitCodes.success : exitCodes.failed;
    }),
  );
}

function renderFinding(finding: Finding, style: Style): string {
  const { check, state, message, hint, concerns = [] } = finding;
  const { success, fault, failure } = style.glyphs;
  const sign = {
    ok: style.green(success),
    warning: style.yellow(fault),
    unknown: style.yellow("?"),
    wrong: style.red(failure),
  }[state];
  const advice =
    hint === undefined || state === "ok" ? "" : `    ${style.cyan("hint:")} ${style.clean(hint)}\n`;
  const also = concerns.length === 0 ? "" : `    concerns: ${style.clean(concerns.join(", "))}\n`;
  return `${sign} ${style.bold(check)}: ${style.clean(message)}\n${also}${advice}`;
}
