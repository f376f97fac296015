"""Potentials as clients of i-PI's protocol, which i-PI and ASE speak."""

import threading

import pytest
from ase.calculators.socketio import SocketClient, SocketIOCalculator


def test_energy_forces_and_stress_through_a_socket(liquid_ec):
    """The atoms move between two calls: one client answers both."""
    atoms, potential = liquid_ec
    server, client = atoms.copy(), atoms.copy()
    client.calc = potential.calculator()
    name = f"electrolyte_ml_{id(atoms)}"

    def connect():
        SocketClient(unixsocket=name).run(client, use_stress=True)

    with SocketIOCalculator(unixsocket=name) as calculator:
        thread = threading.Thread(target=connect, daemon=True)
        thread.start()
        server.calc = calculator
        for amount in (0.0, 0.02):
            server.positions += amount
            server.set_cell(server.cell * (1 + amount), scale_atoms=True)
            expected = potential.evaluate(server)
            assert server.get_potential_energy() == pytest.approx(expected.energy, abs=1e-9)
            assert server.get_forces() == pytest.approx(expected.forces, abs=1e-8)
            assert server.get_stress() == pytest.approx(expected.stress, abs=1e-10)
    thread.join(timeout=10)
    assert not thread.is_alive()
