import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { addCredential, addUser, prepareSignDoc, type BenchInstallation } from './installation.js'
import { generateLoad, startBaseline } from './processes.js'
import type { Figure } from './report.js'
import type { Extent } from './signing.js'

const MEGABYTE = 1024 * 1024
const CONNECTIONS = 4
/** Approvals laid out for a round, and how often each can be used. */
const APPROVALS = { tokens: 20, uses: 40 }
const WARM_UP = 20
/** Documents in flight when memory is looked at, and their size. */
const HEAVY = { connections: 4, megabytes: 8, seconds: 6 }
const LOOK_EVERY_MS = 20

/** PAdES-B-B of a PDF of one megabyte against a baseline that does no more than has to be done, and memory. */
export async function measureSignDoc(
  installation: BenchInstallation,
  { extent, say }: { readonly extent: Extent; readonly say: (line: string) => void },
): Promise<Figure[]> {
  const credential = await installation.lay(async (services) =>
    addCredential(services, await addUser(services), 'p-256'),
  )
  const file = join(installation.folder, 'documents.jsonl')
  const lay = (megabytes: number, { tokens, uses }: typeof APPROVALS) =>
    installation.lay((services) => {
      const document = pdfOf(megabytes * MEGABYTE)
      return prepareSignDoc(services, { credential, document, tokens, uses, file })
    })
  const rates = { baseline: [] as number[], signDoc: [] as number[] }
  const load = { connections: CONNECTIONS, file, repeat: true, warmUp: WARM_UP }
  for (let round = 1; round <= extent.rounds; round += 1) {
    say(`round ${round} of ${extent.rounds}`)
    await lay(1, APPROVALS)
    const baseline = await startBaseline('documents')
    const of = await generateLoad({ ...load, origin: baseline.origin, seconds: extent.seconds })
    await baseline.stop()
    const server = await installation.serve()
    const own = await generateLoad({ ...load, origin: server.origin, seconds: extent.seconds })
    await server.stop()
    if (Object.keys(own.failures).length > 0) throw new Error(own.lastFailure ?? 'signDoc failed')
    rates.baseline.push(of.perSecond)
    rates.signDoc.push(own.perSecond)
    say(`  baseline: ${of.perSecond.toFixed(1)} per second; signDoc: ${own.perSecond.toFixed(1)}`)
  }
  await lay(HEAVY.megabytes, { tokens: 4, uses: 60 })
  const memory = await memoryInFlight(installation, file)
  say(`memory above idle: ${(memory / MEGABYTE).toFixed(0)} MB`)
  const inFlight = HEAVY.connections * HEAVY.megabytes
  return [
    {
      ...{ name: 'signDoc, PAdES-B-B of 1 MB', unit: '/s', values: rates.signDoc },
      ...{ baseline: 'parse, hash, sign', baselineValues: rates.baseline },
      demand: { atLeast: 0.25 },
    },
    {
      ...{ name: `memory above idle, ${HEAVY.connections} × ${HEAVY.megabytes} MB`, unit: 'MB' },
      ...{ values: [memory / MEGABYTE], baseline: 'in flight', baselineValues: [inFlight] },
      demand: { atMost: 6 },
    },
  ]
}

/** The most that it ever was more than before the first large document, when formats are loaded already. */
async function memoryInFlight(installation: BenchInstallation, file: string): Promise<number> {
  const server = await installation.serve()
  const load = { origin: server.origin, file, repeat: true, warmUp: 0 }
  await generateLoad({ ...load, connections: 1, seconds: 0.5 })
  await new Promise((resolve) => setTimeout(resolve, 2000))
  const idle = server.residentBytes()
  let most = idle
  const looking = setInterval(() => {
    most = Math.max(most, server.residentBytes())
  }, LOOK_EVERY_MS)
  const { connections, seconds } = HEAVY
  const { failures, lastFailure } = await generateLoad({ ...load, connections, seconds })
  clearInterval(looking)
  await server.stop()
  if (Object.keys(failures).length > 0) throw new Error(lastFailure ?? 'signDoc failed')
  return most - idle
}

/** A PDF with a page and so many bytes that cannot be compressed. */
function pdfOf(bytes: number): Buffer {
  const noise = randomBytes(bytes)
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /XObject << /I 4 0 R >> >> >>',
    `<< /Type /XObject /Subtype /Image /Width ${bytes} /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8 /Length ${bytes} >>\nstream\n${noise.toString('latin1')}\nendstream`,
  ]
  let file = '%PDF-1.7\n'
  const offsets = objects.map((object, index) => {
    const offset = file.length
    file += `${index + 1} 0 obj\n${object}\nendobj\n`
    return offset
  })
  const rows = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('')
  const size = objects.length + 1
  const trailer = `trailer\n<< /Size ${size} /Root 1 0 R >>\nstartxref\n${file.length}\n%%EOF\n`
  return Buffer.from(`${file}xref\n0 ${size}\n0000000000 65535 f \n${rows}${trailer}`, 'latin1')
}
