// What deploying needs from NATS: the side of the signers, and the side of a host. Nobody gets consumers; what counts
// is read by subject, and live messages only say that there is something to read.
import type { DeployEvent } from "../protocol/deploy/deploy-events.ts";
import type { Hold, HostState } from "../protocol/deploy/host-state.ts";
import type { OrderId } from "../protocol/deploy/order.ts";
import type { HostName, RepoName } from "../protocol/names.ts";

export interface HostAddress {
  readonly repo: RepoName;
  readonly host: HostName;
}

/** The newest order of a host, as it is stored. Nothing about it is proven. */
export interface StoredOrder {
  readonly envelope: Uint8Array;
  /** The sequence of the stream: for the next compare-and-swap. */
  readonly sequence: number;
  readonly storedAt: Date;
}

/** A piece of what an activation printed. */
export interface OutputChunk {
  readonly order: OrderId;
  /** From 0, of this deployment. */
  readonly index: number;
  readonly text: string;
  /** Bytes of the output up to the end of this piece: where the next one begins. */
  readonly end: number;
  /** Bytes that were left out before this piece because there was too much. */
  readonly dropped?: number;
}

/** A piece of output, and where it is in its stream. */
export interface PlacedOutput {
  readonly place: number;
  readonly chunk: OutputChunk;
}

/** What follows one host. `gap` never appears: missing events are read before later ones are given. */
export type DeployMessage =
  | { readonly type: "event"; readonly event: DeployEvent }
  | { readonly type: "output"; readonly chunk: OutputChunk }
  | { readonly type: "connection"; readonly connected: boolean };

export interface HostLogReader {
  /** What was stored since the last time, oldest first. */
  readMore(signal: AbortSignal): Promise<readonly DeployEvent[]>;
}

/** For operators, the deployer and everybody who reads. */
export interface DeployReader {
  /** The last word of every host that ever spoke, or of those of one repo. */
  hostStates(signal: AbortSignal, repo?: RepoName): Promise<readonly HostState[]>;
  hostState(address: HostAddress, signal: AbortSignal): Promise<HostState | undefined>;
  newestOrder(address: HostAddress, signal: AbortSignal): Promise<StoredOrder | undefined>;
  /** A host's events from this index on, oldest first. */
  readDeployEvents(
    address: HostAddress,
    fromIndex: number,
    signal: AbortSignal,
  ): Promise<readonly DeployEvent[]>;
  /** A host's log, read bit by bit: from its beginning, or from what comes after this moment. */
  openHostLog(address: HostAddress, from: "beginning" | "end", signal: AbortSignal): Promise<HostLogReader>;
  /** From this index on, until the signal aborts. */
  followHost(address: HostAddress, fromIndex: number, signal: AbortSignal): AsyncIterable<DeployMessage>;
  readOutput(address: HostAddress, order: OrderId, signal: AbortSignal): Promise<readonly OutputChunk[]>;
  /** The same output piece by piece, after that sequence (0: all of it); ends at what is stored now. */
  outputAfter(
    address: HostAddress,
    order: OrderId,
    after: number,
    signal: AbortSignal,
  ): AsyncIterable<PlacedOutput>;
  /** With the key `all` for a whole repo. */
  holds(signal: AbortSignal): Promise<ReadonlyMap<string, Hold>>;
}

/** For operators. */
export interface DeployBus extends DeployReader {
  /**
   * Stores an order, if the newest one still is the one of this sequence (0 for none).
   * @returns false when another signer was faster: read again
   */
  putOrder(
    address: HostAddress,
    envelope: Uint8Array,
    afterSequence: number,
    signal: AbortSignal,
  ): Promise<boolean>;
  putHold(repo: RepoName, host: HostName | "all", hold: Hold | undefined, signal: AbortSignal): Promise<void>;
}

/** For the listener of one host. */
export interface ListenerBus {
  /** The newest order, now and whenever there is another, until the signal aborts. */
  followOrders(signal: AbortSignal): AsyncIterable<StoredOrder>;
  newestOrder(signal: AbortSignal): Promise<StoredOrder | undefined>;
  /** The newest event of this host that NATS has; it may be of a journal that this host does not have any more. */
  lastEvent(signal: AbortSignal): Promise<DeployEvent | undefined>;
  /** Stored once after those that are there, also when it is sent again. */
  appendEvent(event: DeployEvent, signal: AbortSignal): Promise<void>;
  lastOutput(signal: AbortSignal): Promise<OutputChunk | undefined>;
  appendOutput(chunk: OutputChunk, signal: AbortSignal): Promise<void>;
  putHostState(state: HostState, signal: AbortSignal): Promise<void>;
  readonly isConnected: () => boolean;
}
