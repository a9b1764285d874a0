// The client libraries, each in the very version that a front-end ships, and the ways they travel.

import io231 from 'socket.io-client-2.3.1';
import io250 from 'socket.io-client-2.5.0';
import { io as io4 } from 'socket.io-client-4';

export { io231, io250, io4 };

/** Values of the option `transports`. UPGRADE begins with polling, as the library does when nothing is said. */
export const POLLING = ['polling'];
export const WEBSOCKET = ['websocket'];
export const UPGRADE = ['polling', 'websocket'];
