import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { flattenedVerify, type FlattenedJWS } from 'jose'
import { LineProgram } from './line-program.js'
import type { Kind } from './orders.js'

/** What there is to judge; everything is in files, because the judges are programs. */
export interface Exhibit extends Kind {
  /** Such as `B-LT`. */
  readonly level: string
  readonly isPss: boolean
  readonly file: string
  /** What a detached signature is over. */
  readonly content: string | null
  /** The trust anchor, and the certificates between it and the signer's, PEM. */
  readonly root: string
  readonly intermediates: string
}

/** A program (or library) that somebody else wrote and that tells whether a signature is good. */
export interface Judge {
  readonly name: string
  judges(exhibit: Exhibit): boolean
  /** @returns null when it is content, else what it says */
  complaint(exhibit: Exhibit): Promise<string | null>
  /** When there is nothing left to judge. */
  close?(): void
}

interface Said {
  readonly status: number
  readonly text: string
}

function run(program: string, args: readonly string[]): Promise<Said> {
  return new Promise((resolve) => {
    execFile(program, args, { timeout: 60_000 }, (error, stdout, stderr) => {
      const status = error ? (typeof error.code === 'number' ? error.code : -1) : 0
      resolve({ status, text: `${stdout}\n${stderr}`.trim() })
    })
  })
}

const lastLine = ({ text }: Said) => text.split('\n').at(-1) ?? ''

const openssl: Judge = {
  name: 'openssl cms',
  judges: ({ format, container }) => format === 'C' && container === null,
  async complaint({ file, content, root, intermediates }) {
    const said = await run('openssl', [
      ...['cms', '-verify', '-binary', '-inform', 'DER', '-in', file, '-purpose', 'any'],
      ...['-CAfile', root, '-certfile', intermediates, '-out', '/dev/null'],
      ...(content === null ? [] : ['-content', content]),
    ])
    return said.status === 0 ? null : lastLine(said)
  },
}

const pdfsig: Judge = {
  name: 'pdfsig',
  judges: ({ format }) => format === 'P',
  async complaint({ file }) {
    const { text } = await run('pdfsig', ['-nocert', file])
    const [, ...signatures] = text.split(/^Signature #/m)
    // Document timestamps it does not judge.
    const own = signatures.filter((each) => !each.includes('Signature Type: unknown'))
    const wrong = own.filter((each) => !/Signature Validation: Signature is Valid\./.test(each))
    if (own.length > 0 && wrong.length === 0) return null
    return /Signature Validation: .*/.exec(wrong.join())?.[0] ?? 'no signature'
  },
}

const qpdf: Judge = {
  name: 'qpdf --check',
  judges: ({ format }) => format === 'P',
  async complaint({ file }) {
    const said = await run('qpdf', ['--check', file])
    return said.status === 0 ? null : lastLine(said)
  },
}

const xmlsec: Judge = {
  name: 'xmlsec1',
  // RSASSA-PSS (RFC 6931) it knows from version 1.3 on.
  judges: ({ format, container, content, isPss }) =>
    format === 'X' && container === null && content === null && !isPss,
  async complaint({ file, root, intermediates }) {
    const said = await run('xmlsec1', [
      ...['--verify', '--trusted-pem', root, '--untrusted-pem', intermediates],
      ...['--id-attr:Id', 'http://uri.etsi.org/01903/v1.3.2#:SignedProperties'],
      ...['--id-attr:Id', 'http://www.w3.org/2000/09/xmldsig#:Object', file],
    ])
    return said.status === 0 ? null : said.text.slice(0, 300)
  },
}

const jose: Judge = {
  name: 'jose',
  judges: ({ format, content }) => format === 'J' && content === null,
  async complaint({ file }) {
    try {
      for (const jws of flattened(readFileSync(file, 'utf8'))) await verifyJws(jws)
      return null
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  },
}

async function verifyJws(jws: FlattenedJWS): Promise<void> {
  const header = JSON.parse(Buffer.from(jws.protected ?? '', 'base64url').toString()) as {
    x5c: string[]
    crit?: string[]
  }
  const certificate = new X509Certificate(Buffer.from(header.x5c[0] ?? '', 'base64'))
  const crit = Object.fromEntries((header.crit ?? []).map((name) => [name, false]))
  await flattenedVerify(jws, certificate.publicKey, { crit })
}

/** The signatures of any serialisation, each as the flattened one (RFC 7515, 7). */
function flattened(text: string): FlattenedJWS[] {
  if (!text.startsWith('{')) {
    const [head = '', payload = '', signature = ''] = text.trim().split('.')
    return [{ protected: head, payload, signature }]
  }
  const { signatures, ...jws } = JSON.parse(text) as FlattenedJWS & { signatures?: FlattenedJWS[] }
  return signatures ? signatures.map((each) => ({ ...each, payload: jws.payload })) : [jws]
}

/** @param python an interpreter that has pyHanko */
function pyHanko(python: string): Judge {
  const program = new LineProgram([python, join(import.meta.dirname, 'judge.py')])
  return {
    name: 'pyHanko',
    // A CMS of several signers it does not take.
    judges: ({ format, container, envelope }) =>
      format === 'P' || (format === 'C' && container === null && envelope !== 'Parallel'),
    async complaint({ format, level, file, content, root }) {
      return spoken(await program.ask([format, level, root, file, content ?? '']))
    },
    close: () => program.close(),
  }
}

const BASELINES = { C: 'CAdES', X: 'XAdES', P: 'PAdES', J: 'JAdES' } as const

/** @param jars the folder with the libraries of DSS */
function dss(jars: string): Judge {
  const source = join(import.meta.dirname, 'dss', 'DssJudge.java')
  const program = new LineProgram(['java', '--class-path', join(jars, '*'), source])
  return {
    name: 'DSS',
    judges: () => true,
    async complaint({ format, level, file, content, root }) {
      const baseline = `${BASELINES[format]}-BASELINE-${level.slice('B-'.length)}`
      return spoken(await program.ask([baseline, root, file, content ?? '']))
    },
    close: () => program.close(),
  }
}

function spoken(complaints: readonly string[]): string | null {
  return complaints.length === 0 ? null : complaints.join('; ')
}

/**
 * @param python an interpreter that has pyHanko, or null where there is none
 * @param jars a folder with the libraries of DSS, likewise
 */
export function judgesWith(python: string | null, jars: string | null): Judge[] {
  return [
    ...[openssl, pdfsig, qpdf, xmlsec, jose],
    ...(python === null ? [] : [pyHanko(python)]),
    ...(jars === null ? [] : [dss(jars)]),
  ]
}
