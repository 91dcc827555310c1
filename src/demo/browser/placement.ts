import { t } from './texts.js'

/** Where on a page the signature is to be seen, in millimetres from its lower left corner, as it is shown. */
export interface Placement {
  /** From 1 on. */
  readonly page: number
  readonly left: number
  readonly bottom: number
  readonly width: number
  readonly height: number
}

/** Millimetres. */
export interface PageSize {
  readonly width: number
  readonly height: number
}

export const A4: PageSize = { width: 210, height: 297 }
export const USUAL: Placement = { page: 1, left: 20, bottom: 20, width: 70, height: 22 }
const SMALLEST = { width: 25, height: 10 }

const POINTS_PER_MM = 72 / 25.4

export function millimetres(points: number): number {
  return points / POINTS_PER_MM
}

/** As `signDoc` has it: points. */
export function rectangleOf({ left, bottom, width, height }: Placement) {
  const points = (mm: number) => Math.round(mm * POINTS_PER_MM * 100) / 100
  return { x: points(left), y: points(bottom), width: points(width), height: points(height) }
}

/** Whole millimetres, and no part of it beside the page. */
export function within(placement: Placement, page: PageSize, pages: number): Placement {
  const width = between(SMALLEST.width, placement.width, page.width)
  const height = between(SMALLEST.height, placement.height, page.height)
  return {
    page: between(1, placement.page, pages),
    left: between(0, placement.left, page.width - width),
    bottom: between(0, placement.bottom, page.height - height),
    width,
    height,
  }
}

function between(least: number, value: number, most: number): number {
  const whole = Number.isFinite(value) ? Math.round(value) : least
  const top = Math.floor(most)
  return Math.max(Math.min(least, top), Math.min(whole, top))
}

const ARROWS: Readonly<Partial<Record<string, readonly [number, number]>>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
}

/**
 * What a key does to it: arrows move it, with Alt they change its size; with Shift ten times as far.
 * Null for keys that mean nothing here.
 */
export function afterKey(
  placement: Placement,
  { key, shiftKey, altKey }: { key: string; shiftKey: boolean; altKey: boolean },
): Placement | null {
  const arrow = Object.hasOwn(ARROWS, key) ? ARROWS[key] : undefined
  if (!arrow) return null
  const [right, up] = arrow
  const step = shiftKey ? 10 : 1
  const { left, bottom, width, height } = placement
  return altKey
    ? { ...placement, width: width + right * step, height: height + up * step }
    : { ...placement, left: left + right * step, bottom: bottom + up * step }
}

/** For those who cannot see it. */
export function describePlacement({ page, left, bottom, width, height }: Placement): string {
  return t(
    'Page {page}, {left} mm from the left, {bottom} mm from the bottom, {width} by {height} mm',
    { page, left, bottom, width, height },
  )
}
