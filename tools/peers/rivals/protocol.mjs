// The protocol of ../protocol.py for engines of Node: the same commands, payload, clock and pauses.
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { writeSync } from "node:fs";

const TASKS = 50;
const BULK = 1_000;
const PAUSE_MS = [20, 50];

export const url = process.argv[2];
export const settings = JSON.parse(process.argv[3]);
export const payload = (n) => ({ n, text: "x".repeat(80) });

// Seconds of the monotonic clock, the one that Python reads.
const now = () => Number(process.hrtime.bigint()) / 1e9;
const all = [];
export const runs = (n) => all.push([n, now()]);

// A package of the rival's environment, which is the working folder; imports look beside this file.
const resolve = createRequire(join(process.cwd(), "package.json")).resolve;
export const load = (name) => import(pathToFileURL(resolve(name)).href);

async function enqueue(driver, how, jobs) {
  const began = now();
  if (how === "bulk") {
    for (let first = 0; first < jobs; first += BULK) {
      const length = Math.min(BULK, jobs - first);
      await driver.enqueueBulk(Array.from({ length }, (_, i) => first + i));
    }
  } else {
    let n = 0;
    const producer = async () => {
      while (n < jobs) await driver.enqueue(n++);
    };
    await Promise.all(Array.from({ length: how === "tasks" ? TASKS : 1 }, producer));
  }
  return { seconds: now() - began };
}

async function pace(driver, jobs) {
  const asked = [];
  for (let n = 0; n < jobs; n++) {
    await sleep(PAUSE_MS[0] + Math.random() * (PAUSE_MS[1] - PAUSE_MS[0]));
    asked.push(now());
    await driver.enqueue(n);
  }
  return { asked };
}

async function answer(driver, command) {
  switch (command.do) {
    case "open":
      await driver.open();
      break;
    case "prepare":
      await driver.prepare();
      break;
    case "enqueue":
      return enqueue(driver, command.how, command.jobs);
    case "pace":
      return pace(driver, command.jobs);
    case "work":
      await driver.start();
      break;
    case "ran":
      return { ran: all.length };
    case "remaining":
      return { remaining: await driver.remaining(command.jobs) };
    case "stop":
      await driver.stop();
      return { runs: all };
  }
  return {};
}

function say(value) {
  let rest = Buffer.from(JSON.stringify(value) + "\n");
  while (rest.length) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
    }
  }
}

export async function serve(driver) {
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      say(await answer(driver, JSON.parse(line)));
    } catch (error) {
      say({ error: String(error) });
    }
  }
  process.exit(0);
}
