// The real System and ClosureFetcher of a host, called from a test outside of it: each call is a Node process in the host.
import { HomelabError } from "../../../src/base/errors.ts";
import type { ClosureFetcher } from "../../../src/host/closure-fetcher.ts";
import type { System } from "../../../src/host/system.ts";
import type { LabHost } from "./lab-host.ts";
import { checkoutInHost, nodeInHost } from "./lab.ts";

/** Every method takes what the port's takes, without the signal. */
export type InHost<Port extends object> = {
  readonly [Name in keyof Port]: Port[Name] extends (...args: infer Args) => infer Result
    ? (...args: WithoutSignal<Args>) => Promise<Awaited<Result>>
    : never;
};
type WithoutSignal<Args extends readonly unknown[]> = Args extends readonly [...infer Rest, AbortSignal]
  ? Rest
  : Args;

export const systemIn = (host: LabHost): InHost<System> => portIn<System>(host, systemCall);

/** @param caches URLs, as the host reaches them */
export const fetcherIn = (host: LabHost, ...caches: readonly string[]): InHost<ClosureFetcher> =>
  portIn<ClosureFetcher>(host, (name, ...args) => [
    "env",
    `LAB_CACHES=${caches.join(" ")}`,
    ...callOf("fetcher", name, args),
  ]);

/** The argv of one call of `System`, for tests that start it themselves. */
export const systemCall = (name: keyof System, ...args: readonly unknown[]): readonly string[] =>
  callOf("system", name, args);

const callOf = (port: string, name: string, args: readonly unknown[]): readonly string[] => [
  nodeInHost,
  `${checkoutInHost}/test/support/lab/call-in-host.ts`,
  port,
  name,
  JSON.stringify(args),
];

type ArgvOf<Port> = (name: keyof Port & string, ...args: readonly unknown[]) => readonly string[];

function portIn<Port extends object>(host: LabHost, argvOf: ArgvOf<Port>): InHost<Port> {
  return new Proxy({} as InHost<Port>, {
    get:
      (_, name: string) =>
      async (...args: readonly unknown[]): Promise<unknown> => {
        const { stdout, stderr } = await host.exec(argvOf(name as keyof Port & string, ...args));
        const line = stdout.trim().split("\n").at(-1) ?? "";
        if (!line.startsWith("{")) throw new Error(`${name} in ${host.name}: ${stdout}${stderr}`);
        const { value, error } = JSON.parse(line) as Answer;
        if (error === undefined) return name === "unitsOf" ? new Set(value as string[]) : value;
        throw new HomelabError("failed", error.message, { code: error.code });
      },
  });
}

interface Answer {
  readonly value?: unknown;
  readonly error?: { readonly message: string; readonly code?: string };
}
