import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import type { Credential } from '../../src/credentials/credential.js'
import { totpCode } from '../../src/identity/totp.js'
import type { KeyAlgorithm } from '../../src/keys/algorithms.js'
import { launchChromium, screenshot } from '../support/chromium.js'
import { buildDemo } from '../support/program.js'
import { startRssp, type Rssp, type TestUser } from '../support/rssp.js'
import { writtenPdf } from '../support/written-pdf.js'

describe('The demo application, from choosing a file to a verified signature', () => {
  let rssp: Rssp
  let chromium: Browser
  let context: BrowserContext
  let page: Page
  let folder: string
  let complaints: string[]
  let user: TestUser

  before(async () => {
    buildDemo()
    rssp = await startRssp({ settings: { sandbox: true } })
    await rssp.addClient({
      client_id: 'openrssp-demo',
      client_secret: null,
      redirect_uris: [`${rssp.baseUrl}/demo/`],
      name: 'OpenRSSP demo',
    })
    chromium = await launchChromium()
  })
  after(async () => {
    await chromium.close()
    await rssp.close()
  })

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'openrssp-demo-'))
    user = await rssp.addUser()
    context = await chromium.newContext({ locale: 'en-GB', viewport: { width: 1200, height: 900 } })
    page = await context.newPage()
    complaints = []
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(String(error)))
    page.on('request', (request) => {
      const { origin, protocol } = new URL(request.url())
      const isOwn = origin === rssp.baseUrl || protocol === 'data:' || protocol === 'blob:'
      if (!isOwn) complaints.push(`asked for ${request.url()}`)
    })
  })
  afterEach(async () => {
    await context.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const button = (name: string | RegExp) => page.getByRole('button', { name })
  const heading = (name: string | RegExp) => page.getByRole('heading', { name })

  function write(name: string, content: string): string {
    const path = join(folder, name)
    writeFileSync(path, content)
    return path
  }

  async function choose(...paths: string[]): Promise<void> {
    await page.goto(`${rssp.baseUrl}/demo/`)
    await heading('What do you want to sign?').waitFor()
    await page.getByLabel('Documents to sign').setInputFiles(paths)
    for (const path of paths) await page.getByText(basename(path), { exact: true }).waitFor()
  }

  async function signIn(): Promise<void> {
    await button('Sign in to continue').click()
    await page.getByLabel('User name').fill(user.username)
    await page.getByLabel('Password').fill(user.password)
    await button('Sign in').click()
    await page.getByRole('radio').first().check()
    await page.locator('.to-be-signed').waitFor()
  }

  /** The digests the approval page shows, hexadecimal. */
  async function goToApproval(): Promise<string[]> {
    await button('Go to approval').click()
    await heading(/^Approve (this|these \d) signatures?\?$/).waitFor()
    return page.locator('data.fingerprint').allTextContents()
  }

  async function approve(): Promise<void> {
    rssp.clock.advance(30)
    const otp = page.getByLabel('One-time code')
    await otp.fill(totpCode(user.totpSecret, rssp.clock.now()))
    await page.getByRole('button', { name: /^Approve/ }).click()
    await heading(/^Signed by /).waitFor()
  }

  /** Nothing is beside a screen of 320 pixels. */
  async function assertNarrow(name: string): Promise<void> {
    await page.setViewportSize({ width: 320, height: 700 })
    await screenshot(page, name)
    const beside = await page.evaluate(() => document.documentElement.scrollWidth)
    assert.equal(beside, 320)
    await page.setViewportSize({ width: 1200, height: 900 })
  }

  async function download(name: string | RegExp): Promise<string> {
    const arriving = page.waitForEvent('download')
    await page.getByRole('link', { name }).click()
    const file = await arriving
    await file.saveAs(join(folder, file.suggestedFilename()))
    return file.suggestedFilename()
  }

  /** Runs what the page says to type, in the folder of the downloads. */
  function verify(command: string) {
    const { status, stdout } = spawnSync('bash', ['-c', command], { cwd: folder, encoding: 'utf8' })
    return { status, stdout: stdout.trim() }
  }

  it('is where the address of the sandbox leads, and a wrong address is a page that says so', async () => {
    await page.goto(rssp.baseUrl)
    assert.equal(page.url(), `${rssp.baseUrl}/demo/`)
    await page.goto(`${rssp.baseUrl}/nowhere`)
    await heading('There is no page here').waitFor()
    const { status, headers } = await fetch(`${rssp.baseUrl}/nowhere`)
    assert.equal(status, 404)
    assert.doesNotMatch(headers.get('content-type') ?? '', /html/)
  })

  it('changes its language and keeps what was chosen', async () => {
    await choose(write('lease.txt', 'Lease'))
    await page.getByRole('link', { name: 'Deutsch' }).click()
    await heading('Was möchten Sie signieren?').waitFor()
    await page.getByText('lease.txt', { exact: true }).waitFor()
    assert.equal(
      await page.title(),
      'Schritt 1 von 5: Dokumente – Fernsignatur zum Ausprobieren – OpenRSSP',
    )
  })

  const keys: [KeyAlgorithm, string][] = [
    ['p-256', 'sha256'],
    ['p-384', 'sha384'],
    ['rsa-3072', 'sha256'],
  ]
  for (const [algorithm, hash] of keys) {
    it(`signs with a key of ${algorithm}, and openssl agrees`, async () => {
      await rssp.addCredential(user, { algorithm })
      const content = 'Lease of the flat in Hauptstraße 1'
      const document = write("the tenant's lease.txt", content)
      await choose(document)
      await screenshot(page, `demo-documents-${algorithm}`)
      await signIn()
      await screenshot(page, `demo-certificate-${algorithm}`)
      const expected = createHash(hash).update(content).digest('hex')
      const shown = (await page.locator('.to-be-signed').textContent()) ?? ''
      assert.ok(shown.replace(/\s/g, '').includes(expected), shown)
      assert.deepEqual(await goToApproval(), [expected])
      await approve()
      await screenshot(page, `demo-result-${algorithm}`)
      await page.getByText('Valid', { exact: true }).first().waitFor()

      await download('Certificates (.pem)')
      assert.equal(await download('Signature (.sig)'), 'the tenant_s lease.txt.sig')
      const command =
        (await page.getByLabel('Command that checks the signature').textContent()) ?? ''
      assert.deepEqual(verify(command), { status: 0, stdout: 'Verified OK' })
      write("the tenant's lease.txt", `${content}!`)
      assert.equal(verify(command).status, 1)

      const subject = execFileSync(
        'openssl',
        ['x509', '-in', 'signer-chain.pem', '-noout', '-subject'],
        {
          cwd: folder,
          encoding: 'utf8',
        },
      )
      assert.ok(subject.includes(user.username), subject)
      assert.deepEqual(complaints, [])
    })
  }

  it('signs several documents under one approval, and none fits the other', async () => {
    await rssp.addCredential(user)
    const paths = ['a.txt', 'b.txt', 'c.txt'].map((name) => write(name, `document ${name}`))
    await choose(...paths)
    await signIn()
    assert.equal((await goToApproval()).length, 3)
    await approve()
    await download('Certificates (.pem)')
    const parts = page.locator('details.signature')
    const commands: string[] = []
    for (let index = 0; index < 3; index += 1) {
      const part = parts.nth(index)
      await part.locator('summary').click()
      const arriving = page.waitForEvent('download')
      await part.getByRole('link', { name: 'Signature (.sig)' }).click()
      const file = await arriving
      await file.saveAs(join(folder, file.suggestedFilename()))
      commands.push((await part.getByLabel('Command that checks').textContent()) ?? '')
    }
    for (const command of commands) assert.equal(verify(command).stdout, 'Verified OK')
    write('a.txt', 'document b.txt')
    assert.notEqual(verify(commands[0] ?? '').status, 0)
    assert.deepEqual(complaints, [])
  })

  it('shows that a changed byte breaks the signature, and forgets everything at the end', async () => {
    await rssp.addCredential(user)
    await choose(write('contract.txt', 'contract'))
    await signIn()
    await goToApproval()
    await approve()
    await button('Change one byte and check again').click()
    await page.getByText(/in a copy, byte \d+ was changed/).waitFor()
    await button('Finish').click()
    await heading('All done').waitFor()
    await page.reload()
    await heading('What do you want to sign?').waitFor()
    assert.equal(await page.getByText('contract.txt').count(), 0)
    const stored = await page.evaluate(() => JSON.stringify({ ...sessionStorage, ...localStorage }))
    assert.ok(!stored.includes('contract'), stored)
    assert.deepEqual(complaints, [])
  })

  it('signs a PDF where the signer wants it to be seen, after showing it, and pdfsig agrees', async () => {
    await rssp.addCredential(user)
    const file = join(folder, 'lease.pdf')
    writeFileSync(file, writtenPdf({ pages: ['Rent is 900 EUR', 'Second page'] }))
    await choose(file)
    const box = page.getByRole('application', { name: 'Signature' })
    const left = page.getByLabel('From the left, mm')
    await page.locator('.sheet canvas[width]').waitFor()
    assert.equal(await left.inputValue(), '20')

    // With the keyboard: told as it moves, and held by the edges of the page (106 × 71 mm).
    await box.focus()
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('Shift+ArrowUp')
    const told = page.getByRole('status').filter({ hasText: 'mm from the left' })
    assert.match((await told.textContent()) ?? '', /^Page 1, 21 mm from the left, 30 mm from/)
    for (let time = 0; time < 5; time += 1) await page.keyboard.press('Shift+ArrowRight')
    assert.equal(await left.inputValue(), '35')
    await page.keyboard.press('Alt+Shift+ArrowLeft')
    assert.equal(await page.getByLabel('Width, mm').inputValue(), '60')

    // With the mouse.
    const from = await box.boundingBox()
    assert.ok(from)
    await page.mouse.move(from.x + 10, from.y + 10)
    await page.mouse.down()
    await page.mouse.move(from.x - 400, from.y + 10)
    await page.mouse.up()
    assert.equal(await left.inputValue(), '0')

    // In numbers.
    await page.getByLabel('Page, of 2').fill('9')
    await page.keyboard.press('Tab')
    assert.equal(await page.getByLabel('Page, of 2').inputValue(), '2')
    await screenshot(page, 'demo-placement')
    await assertNarrow('demo-placement-320')

    await signIn()
    const digests = await goToApproval()
    assert.deepEqual(digests, [createHash('sha256').update(readFileSync(file)).digest('hex')])
    const picture = page.getByRole('img', { name: 'Page 1 of 2 of lease.pdf' })
    const drawn = await picture.evaluate((image: HTMLImageElement) => image.naturalWidth)
    assert.equal(drawn, 1200)
    await screenshot(page, 'demo-approval')
    await approve()
    await screenshot(page, 'demo-signed-pdf')
    await assertNarrow('demo-signed-pdf-320')

    const report = page.getByRole('region', { name: 'Validation report' })
    assert.match((await report.textContent()) ?? '', /TOTAL-PASSED.*PAdES B-.*The whole document/)
    assert.equal(await download('Signed PDF'), 'lease-signed.pdf')
    const { status, stdout } = verify('pdfsig -nocert lease-signed.pdf')
    assert.equal(status, 0)
    assert.match(stdout, /Signature is Valid\./)
    assert.match(verify('qpdf --check lease-signed.pdf').stdout, /No syntax or stream encoding/)
    await button('Change one byte and check again').click()
    await page.getByText(/in a copy, byte \d+ was changed/).waitFor()
    assert.deepEqual(complaints, [])
  })

  it('says of a PDF that needs a password or may not be changed, before anything is asked, that it cannot be signed', async () => {
    const plain = join(folder, 'plain.pdf')
    const locked = join(folder, 'locked.pdf')
    writeFileSync(plain, writtenPdf({ pages: ['Rent is 900 EUR'] }))
    execFileSync('qpdf', ['--encrypt', 'user', 'owner', '256', '--', plain, locked])
    await choose(locked)
    await page.getByText('Please choose a copy without a password.').waitFor()
    assert.equal(await page.getByLabel('From the left, mm').count(), 0)
    const final = join(folder, 'final.pdf')
    const protection = ['', 'owner', '256', '--annotate=n', '--form=n', '--modify-other=n']
    execFileSync('qpdf', ['--encrypt', ...protection, '--', plain, final])
    await button('Remove locked.pdf').click()
    await page.getByLabel('Documents to sign').setInputFiles(final)
    await page.getByText('Please choose a copy without protection.').waitFor()
    assert.equal(await page.getByLabel('From the left, mm').count(), 0)
    assert.deepEqual(complaints, [])
  })

  it('comes back without a signature when the signer refuses', async () => {
    const credential: Credential = await rssp.addCredential(user)
    await choose(write('contract.txt', 'contract'))
    await signIn()
    await goToApproval()
    await button('Reject').click()
    await heading('With which certificate?').waitFor()
    await page.getByRole('alert').waitFor()
    await screenshot(page, 'demo-refused')
    assert.match((await page.getByRole('alert').textContent()) ?? '', /You did not approve/)
    const { authorisation } = rssp.services.database.read
    assert.equal(await authorisation.count({ where: { credentialId: credential.id } }), 0)

    await goToApproval()
    await approve()
    assert.deepEqual(complaints, [])
  })

  it('comes back to the documents when the person does not sign in', async () => {
    await choose(write('contract.txt', 'contract'))
    await button('Sign in to continue').click()
    await button('Cancel').click()
    await heading('What do you want to sign?').waitFor()
    await page.getByRole('alert').waitFor()
    await page.getByText('contract.txt', { exact: true }).waitFor()
    assert.deepEqual(complaints, [])
  })

  it('keeps codes and tokens out of the address bar, the history and the page', async () => {
    await rssp.addCredential(user)
    await choose(write('contract.txt', 'contract'))
    await signIn()
    assert.equal(page.url(), `${rssp.baseUrl}/demo/`)
    const rows = await rssp.services.database.read.oAuthRecord.findMany({
      where: { model: 'AccessToken' },
    })
    assert.ok(rows.length > 0)
    const html = await page.content()
    assert.doesNotMatch(html, /"access_token": "[\w-]{20,}"/)
    assert.doesNotMatch(html, /Bearer [\w-]{20,}/)
  })

  it('takes no answer that nobody asked for', async () => {
    await page.goto(`${rssp.baseUrl}/demo/?code=stolen&state=x&iss=${rssp.baseUrl}`)
    await page.getByRole('alert').waitFor()
    assert.match((await page.getByRole('alert').textContent()) ?? '', /The answer was not taken/)
    assert.equal(page.url(), `${rssp.baseUrl}/demo/`)
  })
})
