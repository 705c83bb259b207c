import type { IrqRecord } from "../records";
import { StreamCounters } from "./counters";
import { Journeys, type Journey, type Position } from "./journeys";
import { LastWriters } from "./writers";

/** Everything that is derived from the stream alone. */
export class InterruptModel {
  readonly journeys: Journeys;
  readonly writers = new LastWriters();
  readonly counters = new StreamCounters();

  constructor(onChange?: (journey: Journey) => void) {
    this.journeys = new Journeys(onChange);
  }

  /** The machine has gone back there: journeys and writers of later are not yet. Counters stay. */
  forgetAfter(position: Position): void {
    this.writers.forgetAfter(position);
    this.journeys.forgetAfter(position);
  }

  add(records: readonly IrqRecord[]): void {
    for (const record of records) {
      this.counters.add(record);
      this.writers.add(record);
      this.journeys.add(record);
    }
  }
}
