// Debian's 64-bit guest on every choice of interrupt controllers.
import test from "node:test";
import { findGuest } from "../../assets/guests.mjs";
import { controllerChoices } from "./controllers.mjs";

const guest = findGuest("amd64");
for (const { name, run } of controllerChoices)
  test(`${guest.title} with interrupt controllers: ${name}`, { timeout: 900_000 }, () => run(guest));
