// bullmq on Redis: `concurrency` jobs at once in one worker; finished jobs are kept.
import { load, payload, runs, serve, settings, url } from "./protocol.mjs";

const { Queue, Worker } = await load("bullmq");

const { hostname: host, port } = new URL(url);
const connection = { host, port: Number(port), maxRetriesPerRequest: null };
let queue, worker;

await serve({
  async open() {
    queue = new Queue("peers", { connection });
    // Losing the connection when the server ends is no news.
    queue.on("error", () => {});
  },
  async prepare() {
    await queue.waitUntilReady();
  },
  async enqueue(n) {
    await queue.add("nothing", payload(n));
  },
  async enqueueBulk(numbers) {
    await queue.addBulk(numbers.map((n) => ({ name: "nothing", data: payload(n) })));
  },
  async start() {
    worker = new Worker("peers", async (job) => runs(job.data.n), { connection, ...settings });
    worker.on("error", () => {});
    await worker.waitUntilReady();
  },
  async stop() {
    await worker.close();
  },
  async remaining(jobs) {
    return jobs - (await queue.getCompletedCount());
  },
});
