// `homelab-deploy doctor`
import { exitCodes } from "../../protocol/exit-codes.ts";
import { connectCommand, loadCommandConfig } from "../connect.ts";
import { untilInterrupted, type Context } from "../context.ts";
import { checkBuilders, checkStreamSettings, describeServer } from "../doctor/check-nats.ts";
import { findingOf, type Finding } from "../doctor/finding.ts";

export async function runDoctor(
  context: Context,
  options: { readonly json?: boolean | undefined },
): Promise<number> {
  const findings = await examine(context, untilInterrupted(context.signals));
  const isSound = findings.every(({ state }) => state !== "wrong");
  if (options.json === true)
    context.out.write(`${JSON.stringify({ sound: isSound, findings }, undefined, 2)}\n`);
  else context.out.write(findings.map((finding) => renderFinding(context, finding)).join(""));
  return isSound ? exitCodes.success : exitCodes.failed;
}

async function examine(context: Context, signal: AbortSignal): Promise<Finding[]> {
  const findings: Finding[] = [];
  let builds = false;
  try {
    const config = await loadCommandConfig(context);
    builds = Object.keys(config.repos).length > 0;
  } catch (error) {
    return [findingOf("configuration", error)];
  }
  if (builds) {
    const { checkNix } = await import("../doctor/check-nix.ts");
    findings.push(...(await checkNix(context, signal)));
  }
  try {
    await using connection = await connectCommand(context, signal);
    const { createReader } = await import("../../bus/create-reader.ts");
    findings.push(
      ...describeServer(connection),
      ...(await checkStreamSettings(connection)),
      ...(await checkBuilders(createReader(connection), context.clock.now(), signal)),
    );
  } catch (error) {
    signal.throwIfAborted();
    findings.push(findingOf("NATS server", error));
  }
  return findings;
}

function renderFinding({ outStyle: style }: Context, { check, state, message, hint }: Finding): string {
  const { success, fault, failure } = style.glyphs;
  const sign =
    state === "ok" ? style.green(success) : state === "warning" ? style.yellow(fault) : style.red(failure);
  const advice =
    hint === undefined || state === "ok" ? "" : `    ${style.cyan("hint:")} ${style.clean(hint)}\n`;
  return `${sign} ${style.bold(check)}: ${style.clean(message)}\n${advice}`;
}
