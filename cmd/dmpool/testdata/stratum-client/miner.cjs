// Mines with npm's stratum-client, a Stratum V1 client that owes nothing to this
// repository: the package speaks, this file hashes. It prints a JSON line with
// its counts every second.
//
//   NODE_PATH=.../node_modules node miner.cjs HOST PORT USER PASSWORD HASHRATE
const { createHash } = require('crypto');
const stratum = require('stratum-client');

const [server, port, worker, password, hashrate] = process.argv.slice(2);
const counts = { accepted: 0, rejected: {}, jobs: 0 };
const slice = 50; // milliseconds
let work = null;
let nonce = 0;
let extranonce2 = 0;

const sha256d = (bytes) => createHash('sha256').update(createHash('sha256').update(bytes).digest()).digest();
const fromHex = (text) => Buffer.from(text, 'hex');
const reversed = (bytes) => Buffer.from(bytes).reverse();

// header builds the 80 bytes for one extranonce2; the nonce stays open.
function header(job, en2) {
  let root = sha256d(fromHex(job.coinb1 + job.extraNonce1 + en2 + job.coinb2));
  for (const branch of job.merkle_branch) root = sha256d(Buffer.concat([root, fromHex(branch)]));
  return Buffer.concat([
    reversed(fromHex(job.version)),
    fromHex(job.prevhash).swap32(),
    root,
    reversed(fromHex(job.ntime)),
    reversed(fromHex(job.nbits)),
    Buffer.alloc(4),
  ]);
}

function begin(job) {
  const en2 = (extranonce2++).toString(16).padStart(2 * job.extraNonce2Size, '0');
  const target = (0xffffn << 208n) * 10n ** 12n / BigInt(Math.round(job.miningDiff * 1e12));
  work = { job, en2, target, header: header(job, en2) };
  nonce = 0;
  counts.jobs++;
}

const client = stratum({
  server,
  port: Number(port),
  worker,
  password,
  autoReconnectOnError: false,
  onNewMiningWork: begin,
  onAuthorizeFail: () => { counts.rejected['not authorised'] = 1; },
  onError: (error) => { console.error(error.message); },
  onSubmitWorkSuccess: () => { counts.accepted++; },
  onSubmitWorkFail: (error) => { counts.rejected[error[1]] = (counts.rejected[error[1]] || 0) + 1; },
});

setInterval(() => {
  if (!work) return;
  const { job, en2, target, header: bytes } = work;
  for (let left = Number(hashrate) * slice / 1000; left > 0; left--) {
    bytes.writeUInt32LE(nonce, 76);
    if (BigInt('0x' + reversed(sha256d(bytes)).toString('hex')) <= target) {
      client.submit({
        worker_name: worker,
        job_id: job.jobId,
        extranonce2: en2,
        ntime: job.ntime,
        nonce: nonce.toString(16).padStart(8, '0'),
      });
    }
    nonce++;
  }
}, slice);

setInterval(() => console.log(JSON.stringify(counts)), 1000);
