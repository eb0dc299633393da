// `homelab-deploy doctor`
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { untilInterrupted, type Context } from "../../context.ts";
import type { Finding } from "../../doctor/finding.ts";

export async function runDoctor(
  context: Context,
  options: { readonly json?: boolean | undefined },
): Promise<number> {
  const { examine } = await import("../../doctor/examine.ts");
  const findings = await examine(context, untilInterrupted(context.signals));
  const isSound = findings.every(({ state }) => state !== "wrong");
  if (options.json === true)
    context.out.write(`${JSON.stringify({ sound: isSound, findings }, undefined, 2)}\n`);
  else context.out.write(findings.map((finding) => renderFinding(context, finding)).join(""));
  return isSound ? exitCodes.success : exitCodes.failed;
}

function renderFinding({ outStyle: style }: Context, { check, state, message, hint }: Finding): string {
  const { success, fault, failure } = style.glyphs;
  const sign = {
    ok: style.green(success),
    warning: style.yellow(fault),
    unknown: style.yellow("?"),
    wrong: style.red(failure),
  }[state];
  const advice =
    hint === undefined || state === "ok" ? "" : `    ${style.cyan("hint:")} ${style.clean(hint)}\n`;
  return `${sign} ${style.bold(check)}: ${style.clean(message)}\n${advice}`;
}
