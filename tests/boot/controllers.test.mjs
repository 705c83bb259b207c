// The small guest on every choice of interrupt controllers.
import test from "node:test";
import { controllerChoices } from "./controllers.mjs";
import { guests } from "./support.mjs";

for (const { name, run } of controllerChoices)
  test(`${guests[0].title} with interrupt controllers: ${name}`, { timeout: 300_000 }, () => run(guests[0]));
