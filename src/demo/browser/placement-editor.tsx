import { useEffect, useRef, useState } from 'preact/hooks'
import type { Demo, DemoDocument } from './demo.js'
import type { Bytes } from './encoding.js'
import type * as pdfPages from './pdf-pages.js'
import {
  A4,
  afterKey,
  describePlacement,
  USUAL,
  within,
  type PageSize,
  type Placement,
} from './placement.js'
import { t } from './texts.js'

/** Widest that a page is shown, in pixels. */
const WIDEST = 480

/** A file of its own: few come here with a PDF. */
const PDF_MODULE: string = './pdf.js'

/** Where the signature is seen on a PDF: with the mouse, with arrow keys, or with numbers. */
export function PlacementEditor({
  demo,
  document,
  disabled,
}: {
  demo: Demo
  document: DemoDocument
  disabled: boolean
}) {
  const { placement, fingerprint } = document
  const pdf = usePdf(document.content)
  const page = placement?.page ?? 1
  const size = usePageSize(pdf, page)
  const pages = isProblem(pdf) || pdf === null ? Number.MAX_SAFE_INTEGER : pdf.pages
  const place = (wanted: Placement): Placement => {
    const placed = within(wanted, size, pages)
    demo.place(document, placed)
    return placed
  }
  // A page may be smaller than what is usual.
  useEffect(() => {
    if (placement && !isSame(placement, within(placement, size, pages))) place(placement)
  }, [size, pages])
  const id = `place-${fingerprint.slice(0, 8)}`
  return (
    <fieldset class="placement" disabled={disabled}>
      <legend class="for-ears">{t('Signature on {name}', { name: document.name })}</legend>
      <label class="check">
        <input
          type="checkbox"
          checked={placement !== null}
          onChange={(event) => {
            if (event.currentTarget.checked) place(USUAL)
            else demo.place(document, null)
          }}
        />
        {t('Show the signature on a page')}
      </label>
      {placement && (
        <>
          {isProblem(pdf) ? (
            <p class="placement-problem" role="status">
              {t(PROBLEMS[pdf])}
            </p>
          ) : (
            <Page {...{ pdf, size, placement, place, disabled, id }} />
          )}
          {(pdf === 'unreadable' || !isProblem(pdf)) && (
            <Numbers {...{ placement, place, id, pages }} />
          )}
        </>
      )}
    </fieldset>
  )
}

/** The page, with the box on it that can be moved. */
function Page({
  pdf,
  size,
  placement,
  place,
  disabled,
  id,
}: {
  pdf: pdfPages.OpenPdf | null
  size: PageSize
  placement: Placement
  place: (wanted: Placement) => Placement
  disabled: boolean
  id: string
}) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const sheet = useRef<HTMLDivElement>(null)
  const dragged = useRef<{ x: number; y: number; from: Placement; resizes: boolean } | null>(null)
  useEffect(() => {
    // What cannot be drawn, or is not wanted any more, leaves an empty sheet.
    if (canvas.current) pdf?.draw(placement.page, canvas.current, WIDEST).catch(() => undefined)
  }, [pdf, placement.page])

  const perMillimetre = () => (sheet.current?.clientWidth ?? 1) / size.width
  const drag = (event: PointerEvent) => {
    const { current } = dragged
    if (!current) return
    const right = (event.clientX - current.x) / perMillimetre()
    const up = (current.y - event.clientY) / perMillimetre()
    const { from } = current
    place(
      current.resizes
        ? { ...from, width: from.width + right, height: from.height - up, bottom: from.bottom + up }
        : { ...from, left: from.left + right, bottom: from.bottom + up },
    )
  }
  const take = (event: PointerEvent, resizes: boolean) => {
    if (disabled) return
    event.stopPropagation()
    ;(event.currentTarget as HTMLElement).setPointerCapture(event.pointerId)
    dragged.current = { x: event.clientX, y: event.clientY, from: placement, resizes }
  }
  const release = () => {
    dragged.current = null
  }
  const percent = (part: number, whole: number) => `${(100 * part) / whole}%`
  return (
    <div class="sheet" ref={sheet} style={{ aspectRatio: `${size.width} / ${size.height}` }}>
      <canvas ref={canvas} aria-hidden="true" />
      <div
        class="signature-box"
        role="application"
        aria-roledescription={t('movable box')}
        aria-label={t('Signature')}
        aria-describedby={`${id}-keys ${id}-where`}
        tabIndex={disabled ? -1 : 0}
        style={{
          left: percent(placement.left, size.width),
          bottom: percent(placement.bottom, size.height),
          width: percent(placement.width, size.width),
          height: percent(placement.height, size.height),
        }}
        onKeyDown={(event) => {
          const moved = disabled ? null : afterKey(placement, event)
          if (!moved) return
          event.preventDefault()
          place(moved)
        }}
        onPointerDown={(event) => {
          take(event, false)
        }}
        onPointerMove={drag}
        onPointerUp={release}
        onPointerCancel={release}
      >
        <span aria-hidden="true">{t('Signature')}</span>
        <span
          class="signature-corner"
          aria-hidden="true"
          onPointerDown={(event) => {
            take(event, true)
          }}
          onPointerMove={drag}
          onPointerUp={release}
          onPointerCancel={release}
        />
      </div>
      <p class="for-ears" id={`${id}-keys`}>
        {t('Arrow keys move it by a millimetre, with Shift by ten. With Alt they change its size.')}
      </p>
      <p class="for-ears" id={`${id}-where`} role="status">
        {describePlacement(placement)}
      </p>
    </div>
  )
}

const FIELDS = [
  ['page', 'Page'],
  ['left', 'From the left, mm'],
  ['bottom', 'From the bottom, mm'],
  ['width', 'Width, mm'],
  ['height', 'Height, mm'],
] as const

/** The same in numbers. */
function Numbers({
  placement,
  place,
  id,
  pages,
}: {
  placement: Placement
  place: (wanted: Placement) => Placement
  id: string
  pages: number
}) {
  const isKnown = pages < Number.MAX_SAFE_INTEGER
  return (
    <div class="numbers">
      {FIELDS.map(([member, label]) => (
        <p key={member}>
          <label for={`${id}-${member}`}>
            {member === 'page' && isKnown ? t('Page, of {pages}', { pages }) : t(label)}
          </label>
          <input
            id={`${id}-${member}`}
            type="number"
            inputMode="numeric"
            min={member === 'page' ? 1 : 0}
            max={member === 'page' && isKnown ? pages : undefined}
            step={1}
            value={placement[member]}
            onChange={(event) => {
              const input = event.currentTarget
              // What was out of bounds is corrected, also where nothing changes by it.
              input.value = String(place({ ...placement, [member]: input.valueAsNumber })[member])
            }}
          />
        </p>
      ))}
    </div>
  )
}

function isSame(one: Placement, other: Placement): boolean {
  return FIELDS.every(([member]) => one[member] === other[member])
}

/** Why a document cannot be shown, and what the service will make of it. */
const PROBLEMS = {
  password:
    'This PDF opens only with a password, so the service cannot sign it. Please choose a copy without a password.',
  protected:
    'This PDF is protected against changes, so the service cannot sign it. Please choose a copy without protection.',
  unreadable:
    'This browser cannot open the document: it may be damaged, and then the service will not sign it. You can still say where the signature goes.',
} as const
type Problem = keyof typeof PROBLEMS

function isProblem(pdf: pdfPages.OpenPdf | Problem | null): pdf is Problem {
  return typeof pdf === 'string'
}

/** Null until it is open. */
function usePdf(content: Bytes): pdfPages.OpenPdf | Problem | null {
  const [pdf, setPdf] = useState<pdfPages.OpenPdf | Problem | null>(null)
  useEffect(() => {
    let isGone = false
    const loading = import(PDF_MODULE) as Promise<typeof pdfPages>
    const opening = loading.then((module) => module.openPdf(content))
    opening.then(
      (open) => {
        if (!isGone) setPdf(open.isProtected ? 'protected' : open)
      },
      async (error: unknown) => {
        const module = await loading.catch(() => null)
        if (!isGone) setPdf(module?.needsPassword(error) ? 'password' : 'unreadable')
      },
    )
    return () => {
      isGone = true
      opening.then(
        (open) => open.close(),
        () => undefined,
      )
    }
  }, [content])
  return pdf
}

function usePageSize(pdf: pdfPages.OpenPdf | Problem | null, page: number): PageSize {
  const [size, setSize] = useState(A4)
  useEffect(() => {
    if (pdf === null || isProblem(pdf)) return
    pdf.sizeOf(page).then(setSize, () => undefined)
  }, [pdf, page])
  return size
}
