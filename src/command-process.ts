/** What a command's process is made of once it is known which command it is: in one module, since each costs a look-up. */
export { TenancyError } from './errors.js';
export { refuseExits } from './exits.js';
export { createInterrupts } from './interrupts.js';
