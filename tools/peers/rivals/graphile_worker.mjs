// graphile-worker: a local queue, ends written in batches; finished jobs are deleted.
import { load, payload, runs, serve, settings, url } from "./protocol.mjs";

const { Logger, makeWorkerUtils, run } = await load("graphile-worker");
const { Pool } = (await load("pg")).default;

const logger = new Logger(() => () => {});
const spec = (n) => ({ identifier: "nothing", payload: payload(n) });
let pool, utils, runner;

await serve({
  async open() {
    pool = new Pool({ connectionString: url, max: 10 });
    // Losing the connection when the database is dropped is no news.
    pool.on("error", () => {});
  },
  async prepare() {
    utils = await makeWorkerUtils({ pgPool: pool, logger });
    await utils.migrate();
  },
  async enqueue(n) {
    utils ??= await makeWorkerUtils({ pgPool: pool, logger });
    await utils.addJob("nothing", payload(n));
  },
  async enqueueBulk(numbers) {
    await utils.addJobs(numbers.map(spec));
  },
  async start() {
    runner = await run({
      pgPool: pool,
      logger,
      noHandleSignals: true,
      parsedCronItems: [],
      preset: { worker: settings },
      taskList: { nothing: async (data) => runs(data.n) },
    });
  },
  async stop() {
    await runner.stop();
  },
  async remaining() {
    const { rows } = await pool.query("SELECT count(*)::int AS n FROM graphile_worker._private_jobs");
    return rows[0].n;
  },
});
