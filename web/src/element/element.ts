// `<script type="module" src="lapwing/element.js">` defines <lapwing-pc>.
import { LapwingPc } from "./lapwing_pc";

if (!customElements.get("lapwing-pc")) customElements.define("lapwing-pc", LapwingPc);

export { LapwingPc };
