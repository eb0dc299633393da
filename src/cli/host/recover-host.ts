// `homelab-deploy host recover`: has the activation unit resume what was left. At boot it never touches a deployment that
// is under way, because a switch may start the recovery unit in the middle of it.
import { decideStep } from "../../deploy/decide-step.ts";
import { exitCodes } from "../../protocol/exit-codes.ts";
import type { ComposedHost } from "../../wiring/deploy/compose-host.ts";
import type { Context } from "../context.ts";

export async function recoverHost(
  { out }: Context,
  { unit, readMemory, mailbox, beginJournal }: ComposedHost,
  { isBoot }: { readonly isBoot: boolean },
  signal: AbortSignal,
): Promise<number> {
  if (await unit.isActive(signal)) {
    out.write("A deployment is under way: nothing to recover.\n");
    return exitCodes.success;
  }
  await beginJournal();
  const memory = await readMemory();
  if (memory?.isStuck === true && !isBoot) {
    await mailbox.putCleared();
    await unit.start(signal);
    out.write("This host obeys orders again.\n");
    return exitCodes.success;
  }
  if (memory?.current === undefined) {
    out.write("Nothing was left unfinished.\n");
    return exitCodes.success;
  }
  const { order, phase } = memory.current;
  // Also one that waits for a boot: this may be the boot.
  await unit.start(signal);
  out.write(
    `Order ${order.id} is resumed from "${phase}"${decideStep(memory.current) === "wait" ? ", which waits for a boot" : ""}.\n`,
  );
  return exitCodes.success;
}
