import type { LimitsOptions } from './config.js';
import type { NativeLimits } from './native.js';

export function nativeLimits({ orders, levels, instruments, depthLevels, prefault }: LimitsOptions): NativeLimits {
  return { ordersMax: orders, levelsMax: levels, instrumentsMax: instruments, depthLevels, prefault };
}
