// What waits for the process that deploys: the newest order, refusals to be written down, and what the listener has seen.
// Files in a directory of root that the next boot empties: an order that is lost there is handed over again.
import type { NetworkEvidence } from "./activator-messages.ts";
import type { DeployCode } from "../protocol/deploy/deploy-codes.ts";
import type { OrderId } from "../protocol/deploy/order.ts";

export interface Refused {
  readonly code: DeployCode;
  readonly detail: string;
  readonly order?: OrderId;
}

export interface Confirmation {
  readonly order: OrderId;
  readonly epoch: number;
}

/** An order as it waits. */
export interface Mail {
  /** Bytes of an envelope. */
  readonly envelope: Uint8Array;
  /** Root of this host put it there: it needs no signature, because who is root needs no order. */
  readonly isByRoot: boolean;
}

/** For the process that deploys. */
export interface Mailbox {
  /** The newest; it stays until it is dropped. */
  readOrder(): Promise<Mail | undefined>;
  /** Drops that order, unless a newer one has come meanwhile. */
  dropOrder(mail: Mail): Promise<void>;
  takeRefused(): Promise<Refused | undefined>;
  /** Whether a person has said that a host whose rollback had failed may be deployed to again. */
  takeCleared(): Promise<boolean>;
  readConfirmation(): Promise<Confirmation | undefined>;
  /** Undefined when the listener has not reported for a while. */
  readNetwork(): Promise<NetworkEvidence | undefined>;
}

/** For the activator. */
export interface MailboxWriter {
  putOrder(mail: Mail): Promise<void>;
  /** False when it was read meanwhile, or a newer one has come. */
  hasOrder(mail: Mail): Promise<boolean>;
  putRefused(refused: Refused): Promise<void>;
  /** Whether some refusal has not been written down. */
  hasRefused(): Promise<boolean>;
  putCleared(): Promise<void>;
  putConfirmation(confirmation: Confirmation): Promise<void>;
  putNetwork(evidence: NetworkEvidence): Promise<void>;
}
