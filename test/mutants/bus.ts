import type { Mutant } from "./mutant.ts";

export const busMutants: readonly Mutant[] = [
  {
    file: "src/bus/event-sequence.ts",
    from: "event.build !== id || eventMessageId(event) !== messageIdOf(headers)",
    to: "event.build !== id",
    why: "an event that was stored under the number of another one is believed",
  },
  {
    file: "src/bus/stored-messages.ts",
    from: "      } catch (error) {\n        doubtful = true;\n",
    to: "      } catch (error) {\n",
    why: "after a read that failed a follower waits although there is more to read",
  },
  {
    file: "src/bus/stored-messages.ts",
    from: "announced = Math.max(announced, sequence);",
    to: "announced = sequence;",
    why: "of messages that are announced out of order the newer ones are not read",
  },
  {
    file: "src/bus/call.ts",
    from: 'role === "daemon" ||\n    clock',
    to: "clock",
    why: "a builder gives a build up when NATS is away for fifteen seconds",
  },
  {
    file: "src/bus/connect/nats-errors.ts",
    from: "code !== apiCodes.notEnabledForAccount && !isStreamFull(error)",
    to: "code !== apiCodes.notEnabledForAccount",
    why: "a command waits for a full queue instead of saying so",
  },
  {
    file: "src/bus/logs/log-order.ts",
    from: "chunk.index + 1",
    to: "chunk.index",
    why: "a log chunk that was stored twice is shown twice",
  },
  {
    file: "src/bus/message-ids.ts",
    from: "`log.${build}.${log}.${index}`",
    to: "`${build}.${log}.${index}`",
    why: "a log chunk can stand for an event",
  },
  {
    file: "src/bus/deliveries.ts",
    from: "const [delivered, sequence, , timestamp]",
    to: "const [delivered, , sequence, timestamp]",
    why: "a request that is delivered again gets another id, and is built twice",
  },
  {
    file: "src/protocol/build-state.ts",
    from: "host !== undefined && host.finished === undefined",
    to: "host !== undefined",
    why: "a verdict that was published changes",
  },
  {
    file: "src/protocol/build-state.ts",
    from: "[...known.hosts, ...failure.hosts.filter((host) => !names.has(fullName(host)))]",
    to: "failure.hosts.filter((host) => !names.has(fullName(host)))",
    why: "a failure that is said again forgets the hosts that it broke before",
  },
  {
    file: "src/protocol/event-parts.ts",
    from: "index < pieces.length - 1",
    to: "complete === undefined",
    why: "the first part of a large inventory counts as all of it",
  },
  {
    file: "src/protocol/verdicts.ts",
    from: "verdict === undefined || !isSuccess(verdict)",
    to: "verdict !== undefined && !isSuccess(verdict)",
    why: "a build without a verdict on one of its hosts succeeds",
  },
  {
    file: "src/protocol/request-digest.ts",
    from: "hosts?.toSorted() ?? null",
    to: "hosts ?? null",
    why: "the same request with its hosts in another order is taken for somebody else's",
  },
  {
    file: "src/protocol/events.ts",
    from: 'event.type === "accepted" && event.part !== undefined ? 2 : wireVersion',
    to: "wireVersion",
    why: "readers of an earlier release take the first part of an inventory for all of it",
  },
];
