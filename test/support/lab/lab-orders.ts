// Orders for a lab's host without the command line, which takes a second or two to start.
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../../../src/base/clock.ts";
import type { DeployBus, HostAddress } from "../../../src/bus/deploy-bus.ts";
import type { OrderSpecification } from "../../../src/deploy/ordering/compose-order.ts";
import { placeOrder } from "../../../src/deploy/ordering/place-order.ts";
import type { DeployEvent, DeployEventOf } from "../../../src/protocol/deploy/deploy-events.ts";
import { bytesOf, type Order } from "../../../src/protocol/deploy/order.ts";
import type { SignedStatement } from "../../../src/protocol/deploy/statement.ts";
import type { StorePath } from "../../../src/protocol/names.ts";
import { hashOfStatement } from "../../../src/signing/open-envelope.ts";
import type { Signer } from "../../../src/signing/signing-key-file.ts";
import { eventsOf } from "./lab-journal.ts";
import type { LabHost } from "./lab-host.ts";

export interface LabOrders {
  /** Stores an order for a system of the lab, as `homelab-deploy deploy` would. */
  place(
    name: string,
    specification?: Partial<Pick<OrderSpecification, "kind" | "action" | "reboot">>,
  ): Promise<Order>;
  /** How it ended, as the host's journal has it; undefined when it has not in this time. */
  end(order: Order, patienceMs?: number): Promise<DeployEventOf<"finished" | "rejected"> | undefined>;
}

export interface LabOrdersOptions {
  readonly address: HostAddress;
  readonly bus: DeployBus;
  readonly signer: Signer;
  readonly host: LabHost;
  /** What the builder says of a system of the lab. */
  readonly stated: (name: string) => Promise<{ readonly path: StorePath; readonly signed: SignedStatement }>;
}

const lookMs = 50;

export function createLabOrders({ address, bus, signer, host, stated }: LabOrdersOptions): LabOrders {
  return {
    async place(name, specification = {}) {
      const { path, signed } = await stated(name);
      const { running } = await host.runs();
      return placeOrder(
        { bus, signer, clock: systemClock },
        {
          address,
          specification: {
            kind: "activate",
            action: "switch",
            path,
            statementHash: hashOfStatement(bytesOf(signed.statement)),
            reboot: false,
            allowDowngrade: false,
            allowDrift: false,
            by: "the lab",
            ...specification,
          },
          statement: signed,
          running: running as StorePath | undefined,
          hostSerial: undefined,
        },
        AbortSignal.timeout(30_000),
      );
    },
    async end({ id }, patienceMs = 120_000) {
      const until = performance.now() + patienceMs;
      while (performance.now() < until) {
        // While it is off there is nothing to read.
        const events: readonly DeployEvent[] = await eventsOf(host, id).catch(() => []);
        const end = events.find(isEnd);
        if (end !== undefined) return end;
        await sleep(lookMs);
      }
      return undefined;
    },
  };
}

const isEnd = (event: DeployEvent): event is DeployEventOf<"finished" | "rejected"> =>
  event.type === "finished" || event.type === "rejected";
