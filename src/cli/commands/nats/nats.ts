// `homelab-deploy nats keygen|setup|config`
import { resolve } from "node:path";
import { HomelabError } from "../../../base/errors.ts";
import { parseBuilderName, parseHostName } from "../../../protocol/names.ts";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import type { NamedRole, NatsUser } from "../../../bus/server/permissions.ts";
import { connectCommand } from "../../session/connect.ts";
import { untilInterrupted, type Context } from "../../context.ts";

export async function runKeygen(context: Context, file: string): Promise<number> {
  const { writeNewKey } = await import("../../../bus/server/keys.ts");
  const publicKey = await writeNewKey(resolve(file));
  context.err.write(
    `The seed is in ${file}; keep it secret. The public key, for the server's configuration:\n`,
  );
  context.out.write(`${publicKey}\n`);
  return exitCodes.success;
}

export interface SetupCommandOptions {
  readonly check?: boolean | undefined;
  readonly repair?: boolean | undefined;
  readonly scale: number;
  readonly json?: boolean | undefined;
}

export async function runSetup(context: Context, options: SetupCommandOptions): Promise<number> {
  const signal = untilInterrupted(context.signals);
  await using connection = await connectCommand(context, signal);
  const { checkStreams, describeDifference, requireSound, setUpStreams } =
    await import("../../../bus/server/setup.ts");
  const findings =
    options.check === true
      ? await checkStreams(connection)
      : await setUpStreams(connection, { repair: options.repair === true, scale: options.scale });
  const { inspectAccounts, sharedAccountError } = await import("../../../bus/server/inspect-accounts.ts");
  const accounts = await inspectAccounts(connection);
  if (options.json === true) context.out.write(`${JSON.stringify({ accounts, findings }, undefined, 2)}\n`);
  else {
    context.out.write(`accounts: ${accounts}\n`);
    for (const { object, state, differences } of findings) {
      const said = differences.map((difference) => `\n    ${describeDifference(difference)}`).join("");
      context.out.write(`${object}: ${state}${said}\n`);
    }
  }
  requireSound(findings);
  if (accounts === "shared") throw sharedAccountError();
  return exitCodes.success;
}

export interface ServerConfigCommandOptions {
  readonly admin?: string | undefined;
  readonly operator?: readonly string[] | undefined;
  readonly ci?: readonly string[] | undefined;
  readonly updater?: readonly string[] | undefined;
  readonly builder?: readonly string[] | undefined;
  readonly listener?: readonly string[] | undefined;
  readonly dashboard?: readonly string[] | undefined;
  readonly system?: string | undefined;
  readonly listen: string;
  readonly store: string;
  readonly maxStore: number;
  readonly monitoring?: string | undefined;
  readonly serverTlsCert?: string | undefined;
  readonly serverTlsKey?: string | undefined;
  readonly serverTlsCa?: string | undefined;
  readonly serverVersion: string;
  readonly fragment?: boolean | undefined;
}

const gibibyte = 1024 ** 3;

export async function runServerConfig(
  context: Context,
  options: ServerConfigCommandOptions,
): Promise<number> {
  const { accountsFragment, serverConfig } = await import("../../../bus/server/server-config.ts");
  const users = usersOf(options);
  if (users.length === 0) {
    throw new HomelabError("usage", "no user is named", {
      code: "BAD_ARGUMENTS",
      hint: "make keys with `homelab-deploy nats keygen FILE`, then give their public keys, at least --admin, --operator and --builder NAME=KEY",
    });
  }
  if (options.fragment === true) {
    context.out.write(accountsFragment(users));
    return exitCodes.success;
  }
  const { serverTlsCert, serverTlsKey, serverTlsCa, monitoring, system } = options;
  if ((serverTlsCert === undefined) !== (serverTlsKey === undefined)) {
    throw new HomelabError("usage", "--server-tls-cert and --server-tls-key go together", {
      code: "BAD_ARGUMENTS",
    });
  }
  context.out.write(
    serverConfig({
      listen: options.listen,
      storeDirectory: options.store,
      maxFileStore: options.maxStore * gibibyte,
      serverVersion: options.serverVersion,
      users,
      ...(monitoring === undefined ? {} : { monitoring }),
      ...(system === undefined ? {} : { systemKey: system }),
      ...(serverTlsCert === undefined || serverTlsKey === undefined
        ? {}
        : {
            tls: {
              certFile: serverTlsCert,
              keyFile: serverTlsKey,
              ...(serverTlsCa === undefined ? {} : { caFile: serverTlsCa }),
            },
          }),
    }),
  );
  return exitCodes.success;
}

/** `KEY`, or `NAME=KEY` where several users have the role. */
function usersOf(options: ServerConfigCommandOptions): NatsUser[] {
  const people = (role: "admin" | NamedRole, values: readonly string[] = []): NatsUser[] =>
    values.map((value) => {
      const { name, key } = namedKey(value);
      return { role, publicKey: key, ...(name === undefined ? {} : { name }) };
    });
  return [
    ...people("admin", options.admin === undefined ? [] : [options.admin]),
    ...people("operator", options.operator),
    ...people("ci", options.ci),
    ...people("updater", options.updater),
    ...people("dashboard", options.dashboard),
    ...(options.builder ?? []).map((value): NatsUser => {
      const { name, key } = namedKey(value);
      return { role: "builder", publicKey: key, name: parseBuilderName(requireName(name, value, "builder")) };
    }),
    ...(options.listener ?? []).map((value): NatsUser => {
      const { name, key } = namedKey(value);
      return { role: "listener", publicKey: key, host: parseHostName(requireName(name, value, "listener")) };
    }),
  ];
}

function namedKey(value: string): { readonly name?: string; readonly key: string } {
  const at = value.indexOf("=");
  return at < 0 ? { key: value } : { name: value.slice(0, at), key: value.slice(at + 1) };
}

function requireName(name: string | undefined, value: string, option: string): string {
  if (name !== undefined) return name;
  throw new HomelabError("usage", `--${option} ${value} has no name`, {
    code: "BAD_ARGUMENTS",
    hint: `write --${option} NAME=KEY`,
  });
}
