import { execFileSync, fork, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface ReceivedMail {
  readonly to: readonly string[]
  readonly secure: boolean
  readonly user: string
  readonly text: string
}

type Ports = Record<'good' | 'otherCertificate' | 'noTls', number>

/** A real mail server in a process of its own, with STARTTLS and authentication. */
export class SmtpProcess {
  readonly ports: Ports
  readonly #received: ReceivedMail[] = []
  /** Told once all mail is here that came before it was asked. */
  readonly #askers: (() => void)[] = []
  readonly #child: ChildProcess
  readonly #folder: string

  private constructor(child: ChildProcess, ports: Ports, folder: string) {
    this.#child = child
    this.ports = ports
    this.#folder = folder
    child.on('message', (message) => {
      if (message === 'that is all') this.#askers.shift()?.()
      else this.#received.push(message as ReceivedMail)
    })
  }

  static async start(): Promise<SmtpProcess> {
    const folder = mkdtempSync(join(tmpdir(), 'openrssp-smtp-'))
    const files = ['good', 'other'].flatMap((name) => makeCertificate(folder, name))
    const child = fork(join(import.meta.dirname, 'smtp-server.ts'), files, {
      execArgv: ['--import', 'tsx'],
    })
    const ports = await new Promise<Ports>((resolve, reject) => {
      child.once('message', (message) => resolve((message as { ports: Ports }).ports))
      child.once('exit', () => reject(new Error('The mail server ended')))
    })
    writeFileSync(join(folder, 'password'), 'correct horse\n', { mode: 0o600 })
    writeFileSync(join(folder, 'wrong-password'), 'battery staple\n', { mode: 0o600 })
    return new SmtpProcess(child, ports, folder)
  }

  /** Settings of `mail`; the certificate is trusted, the password right. */
  settings(door: keyof Ports = 'good', more: Record<string, unknown> = {}) {
    return {
      ...{ transport: 'smtp' as const, host: '127.0.0.1', port: this.ports[door] },
      ...{ from: 'rssp@example.org', user: 'rssp' },
      ...{ passwordFile: this.file('password'), caFile: this.file('good.crt') },
      ...more,
    }
  }

  /** Oldest first. */
  async received(): Promise<readonly ReceivedMail[]> {
    const isAll = new Promise<void>((resolve) => this.#askers.push(resolve))
    this.#child.send('what has come?')
    await isAll
    return this.#received
  }

  file(name: string): string {
    return join(this.#folder, name)
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = new Promise((resolve) => this.#child.once('exit', resolve))
      this.#child.kill('SIGKILL')
      await exited
    }
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

function makeCertificate(folder: string, name: string): string[] {
  const [key, certificate] = [join(folder, `${name}.key`), join(folder, `${name}.crt`)]
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
      ...['-keyout', key, '-out', certificate, '-days', '2', '-subj', '/CN=localhost'],
      ...['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
    ],
    { stdio: 'ignore' },
  )
  return [key, certificate]
}
